"""The list of all projects, changed by a function of the stack only: it checks, and two at once do no harm."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from hippogym.deploy.aws import Aws, code_of, told
from hippogym.deploy.problems import DeployError


def update_master_list(aws: Aws, function: str, entry: Mapping[str, Any]) -> None:
    """Have the project's line written; the same line twice is no change. Raises DeployError."""
    with told("Lambda"):
        try:
            payload = json.dumps({"project": dict(entry)}).encode()
            answer = aws("lambda").invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
            with contextlib.closing(answer["Payload"]) as body:
                raw = bytes(body.read())
        except ClientError as problem:
            if code_of(problem) != "ResourceNotFoundException":
                raise
            why = f"There is no function {function}: hippogym aws setup brings the stack in order."
            raise DeployError(why) from problem
    said = _said(raw)
    if answer.get("FunctionError") or "error" in said or "errorMessage" in said:
        why = said.get("errorMessage") or said.get("error") or "it does not say why"
        raise DeployError(f"The function {function} refused the project's line: {str(why)[:300]}")


def _said(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw or b"{}")
    except ValueError:
        return {"errorMessage": "its answer is not JSON"}
    return found if isinstance(found, dict) else {}
