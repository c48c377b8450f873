"""What a function finds around it: its settings, clients of AWS, and the stack's key."""

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from functions.objects import Objects, told
from hippogym.core.study.tickets import KEY_BYTES
from hippogym.errors import RecordError


def _client(service: str) -> Any:
    """Answers are waited for a few seconds, so that a function never ends in the middle of a wait."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    make: Any = boto3.client
    return make(service, config=config)


@dataclass
class Surroundings:
    """settings: the environment's. client: service → boto3's client. Kept over the calls of one function."""

    settings: Mapping[str, str] = field(default_factory=lambda: os.environ)
    client: Callable[[str], Any] = _client
    _clients: dict[str, Any] = field(default_factory=dict)

    def __call__(self, service: str) -> Any:
        """A client, made when it is first needed."""
        if service not in self._clients:
            self._clients[service] = self.client(service)
        return self._clients[service]

    @cached_property
    def objects(self) -> Objects:
        """The study bucket."""
        return Objects(self("s3"), self.settings["STUDY_BUCKET"])

    @cached_property
    def key(self) -> bytes:
        """The stack's. Raises RecordError."""
        with told():
            answer = self("ssm").get_parameter(Name=self.settings["KEY_PARAMETER"], WithDecryption=True)
        key = base64.b64decode(answer["Parameter"]["Value"])
        if len(key) != KEY_BYTES:
            raise RecordError("the stack's key is not one: hippogym aws status")
        return key

    def tell(self, topic: str, message: Mapping[str, Any]) -> None:
        """Publish to the topic of that setting. Raises RecordError."""
        with told():
            self("sns").publish(TopicArn=self.settings[topic], Message=json.dumps(message))
