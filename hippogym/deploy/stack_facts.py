"""What `hippogym aws setup` made: where things are and what they are called, as the stack itself says."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from hippogym.deploy.aws import Aws, code_of, told
from hippogym.deploy.problems import DeployError

USABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


@dataclass(frozen=True)
class StackFacts:
    """account: its number. outputs: of the stack, by name."""

    name: str
    region: str
    account: str
    partition: str
    outputs: Mapping[str, str]

    def arn(self, service: str, rest: str, region: bool = True) -> str:
        """The name of something of this account."""
        return f"arn:{self.partition}:{service}:{self.region if region else ''}:{self.account}:{rest}"

    def role(self, kind: str) -> str:
        """ARN of one of the stack's roles, such as ``execution``."""
        return self.arn("iam", f"role/{role_name(self.name, kind)}", region=False)

    @property
    def boundary(self) -> str:
        """ARN of the policy beyond which no task's role goes."""
        return self.outputs.get("TaskBoundary") or self.arn(
            "iam", f"policy/hippogym-{self.name}-boundary", region=False
        )

    @property
    def log_group(self) -> str:
        """Where the containers' logs go."""
        return self.outputs.get("ServerLogs") or f"/hippogym/{self.name}/servers"

    @property
    def list_function(self) -> str:
        """The function update_master_list."""
        return self.outputs.get("UpdateMasterListFunction") or f"hippogym-{self.name}-list"


def role_name(stack: str, kind: str) -> str:
    """IAM's names have at most 64 letters; what is longer ends in a sum of the whole, so that it is still its own."""
    name = f"hippogym-{stack}-{kind}"
    return name if len(name) <= 64 else f"{name[:55]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def read_stack(aws: Aws, name: str) -> StackFacts:
    """Raises DeployError, also where there is no such stack."""
    with told("AWS"):
        who = aws("sts").get_caller_identity()
    with told("CloudFormation"):
        try:
            found = aws("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as problem:
            if code_of(problem) == "ValidationError" and "does not exist" in str(problem):
                found = []
            else:
                raise
    if not found:
        raise DeployError(
            f"There is no stack {name} in {aws.region}, account {who['Account']}. Set it up once for the whole lab: "
            "hippogym aws setup (AWS_README.md); or name another: --stack NAME."
        )
    status = str(found[0]["StackStatus"])
    if status not in USABLE:
        raise DeployError(f"The stack {name} is {status}: hippogym aws status says more; try again when it is ready.")
    outputs = {str(one["OutputKey"]): str(one["OutputValue"]) for one in found[0].get("Outputs", ())}
    partition = re.match(r"arn:([^:]+):", str(who["Arn"]))
    return StackFacts(name, aws.region, str(who["Account"]), partition[1] if partition else "aws", outputs)
