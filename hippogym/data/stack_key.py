"""The key of the completion codes of a study on AWS: made from the stack's, which lies in Parameter Store."""

import base64
import binascii

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hippogym.core.study.tickets import KEY_BYTES, study_key
from hippogym.errors import RecordError

ANSWER_S = 10.0


def stack_code_key(address: str, stack: str) -> bytes:
    """For ``s3://bucket/projectId``. Needs ssm:GetParameter for ``/hippogym/<stack>/key``. Raises RecordError."""
    project, name = address.rstrip("/").rpartition("/")[2], f"/hippogym/{stack}/key"
    config = Config(connect_timeout=ANSWER_S, read_timeout=ANSWER_S, retries={"total_max_attempts": 3})
    try:
        found = boto3.session.Session().client("ssm", config=config).get_parameter(Name=name, WithDecryption=True)
        key = base64.b64decode(found["Parameter"]["Value"], validate=True)
    except ClientError as problem:
        code = str(problem.response.get("Error", {}).get("Code"))
        raise RecordError(_told(code, name, stack)) from problem
    except BotoCoreError as problem:
        raise RecordError(f"the codes' key cannot be asked for: {problem}") from problem
    except binascii.Error as problem:
        raise RecordError(f"{name} is not the key of a stack") from problem
    if len(key) != KEY_BYTES:
        raise RecordError(f"{name} is not the key of a stack")
    return study_key(key, project)


def _told(code: str, name: str, stack: str) -> str:
    if code == "ParameterNotFound":
        return f"there is no stack {stack} in this region: name another with --stack, or the region in AWS_REGION"
    if code == "AccessDeniedException":
        return f"the codes' key may not be read: it needs the right ssm:GetParameter for the parameter {name}"
    return f"the codes' key cannot be read ({code})"
