"""What ECS is told about a participant's container, and what this container may do. Pure up to ``registered``."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from hippogym.config import Study
from hippogym.config.project import AwsSetup
from hippogym.deploy.aws import Aws, code_of, told
from hippogym.deploy.stack_facts import StackFacts, role_name

CONTAINER = "hippo"
PORT = 5000
STOP_S = 120  # the most that Fargate gives between SIGTERM and SIGKILL
POLICY = "records-and-certificates"


def family(stack: str, project: str) -> str:
    """The name under which ECS keeps the definition's versions."""
    return f"{stack}-{project}"


def task_definition(study: Study, facts: StackFacts, image: str, architecture: str, setup: AwsSetup) -> dict[str, Any]:
    """As ``register_task_definition`` takes it. image: with its digest, so that it is this one and stays it."""
    project = study.project
    environment = {
        "PROJECT_ID": project.id,
        "ADDRESS": "0.0.0.0",
        "PORT": str(PORT),
        "STUDY_BUCKET": setup.bucket or "",
        "SSL_BUCKET": project.ssl.sslBucket or "",
        "AWS_REGION": setup.region or "",
        "PAGE_ORIGIN": (facts.outputs.get("PageUrl") or "").rstrip("/"),
    }
    container = {
        "name": CONTAINER,
        "image": image,
        "essential": True,
        "memoryReservation": setup.memory * 1024 - 256,
        "portMappings": [{"containerPort": PORT, "hostPort": PORT, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in sorted(environment.items())],
        "stopTimeout": STOP_S,
        "healthCheck": {
            "command": ["CMD", "python3", "-m", "hippogym.health"],
            "interval": 15, "timeout": 5, "retries": 3, "startPeriod": 60,
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": facts.log_group,
                "awslogs-region": facts.region,
                "awslogs-stream-prefix": project.id,
            },
        },
    }  # fmt: skip
    return {
        "family": family(facts.name, project.id),
        "taskRoleArn": facts.role(f"task-{project.id}"),
        "executionRoleArn": facts.outputs.get("ExecutionRole") or facts.role("execution"),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(setup.cpu * 1024),
        "memory": str(setup.memory * 1024),
        "runtimePlatform": {"cpuArchitecture": architecture, "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [container],
    }


def task_policy(study: Study, facts: StackFacts, bucket: str) -> dict[str, Any]:
    """What the container may do: keep this project's records, say how games go, and read the certificate."""
    project, ssl = study.project.id, study.project.ssl
    ours = f"arn:{facts.partition}:s3:::{bucket}"
    records = f"{project}/Trials/"
    statements: list[dict[str, Any]] = [
        {
            "Sid": "KeepRecords",
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"],
            "Resource": f"{ours}/{records}*",
        },
        {
            "Sid": "SayHowGamesGo",
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": f"{ours}/{project}/receipts/*",
        },
        {
            "Sid": "RemoveParts",  # of an episode under way, when the whole of it has been verified
            "Effect": "Allow",
            "Action": "s3:DeleteObject",
            "Resource": f"{ours}/{records}*",
        },
        {
            "Sid": "SeeWhatIsThere",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": ours,
            "Condition": {"StringLike": {"s3:prefix": f"{records}*"}},
        },
    ]
    if ssl.sslBucket and ssl.fullchain and ssl.privkey:
        keys = [f"arn:{facts.partition}:s3:::{ssl.sslBucket}/{key}" for key in (ssl.fullchain, ssl.privkey)]
        statements += [{"Sid": "Certificate", "Effect": "Allow", "Action": "s3:GetObject", "Resource": keys}]
    return {"Version": "2012-10-17", "Statement": statements}


def trust(facts: StackFacts) -> dict[str, Any]:
    """Who may take the role on: tasks of this account."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": facts.account}},
            }
        ],
    }


def same(found: Any, wanted: Any) -> bool:
    """Whether what AWS has is what we want; AWS adds defaults of its own, which do not count."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(same(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return False
        pairs = zip(_in_order(found), _in_order(wanted), strict=True)
        return all(same(one, other) for one, other in pairs)
    return bool(found == wanted)


def registered(aws: Aws, name: str) -> dict[str, Any] | None:
    """The newest definition of a family; None where there is none. Raises DeployError."""
    with told("ECS"):
        try:
            return dict(aws("ecs").describe_task_definition(taskDefinition=name)["taskDefinition"])
        except ClientError as problem:
            if code_of(problem) == "ClientException" and "Unable to describe" in str(problem):
                return None
            raise


def register(aws: Aws, definition: Mapping[str, Any]) -> str:
    """Returns its ARN. Raises DeployError."""
    with told("ECS"):
        answer = aws("ecs").register_task_definition(**definition)
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def role_is(aws: Aws, facts: StackFacts, project: str, policy: Mapping[str, Any]) -> str:
    """How the task's role is: ``as wanted``, ``other rights`` or ``not there``. Raises DeployError."""
    name = role_name(facts.name, f"task-{project}")
    with told("IAM"):
        try:
            role = aws("iam").get_role(RoleName=name)["Role"]
            found = aws("iam").get_role_policy(RoleName=name, PolicyName=POLICY)["PolicyDocument"]
        except ClientError as problem:
            if code_of(problem) != "NoSuchEntity":
                raise
            return "not there" if "role policy" not in str(problem).lower() else "other rights"
    trusted = _json(role["AssumeRolePolicyDocument"]) == trust(facts)
    return "as wanted" if _json(found) == policy and trusted else "other rights"


def make_role(aws: Aws, facts: StackFacts, project: str, policy: Mapping[str, Any]) -> None:
    """The task's role within the stack's boundary; what is there already is brought in order. Raises DeployError."""
    name = role_name(facts.name, f"task-{project}")
    with told("IAM"):
        try:
            aws("iam").create_role(
                RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(facts)), PermissionsBoundary=facts.boundary,
                Description=f"Servers of the study {project}", Tags=[{"Key": "hippogym", "Value": facts.name}],
            )  # fmt: skip
        except ClientError as problem:
            if code_of(problem) != "EntityAlreadyExists":
                raise
            aws("iam").update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust(facts)))
        aws("iam").put_role_policy(RoleName=name, PolicyName=POLICY, PolicyDocument=json.dumps(policy))


def _json(document: Any) -> Any:
    return json.loads(document) if isinstance(document, str) else document


def _in_order(values: list[Any]) -> list[Any]:
    """Lists of AWS are sets: environment variables come back in any order."""
    return sorted(values, key=lambda value: str(value.get("name", "")) if isinstance(value, Mapping) else str(value))
