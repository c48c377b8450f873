"""The roles of studies' tasks: made by ``updateProject.py`` within the stack's boundary, gone before the stack is."""

from collections.abc import Callable, Iterator

from hippogym.deploy.aws import Aws, told
from hippogym.deploy.stack_facts import role_name


def remove_study_roles(aws: Aws, stack: str, boundary: str, said: Callable[[str], None]) -> None:
    """Remove the roles that this policy bounds: IAM removes no policy that still bounds one. Raises DeployError."""
    with told("IAM"):
        iam = aws("iam")
        for name in list(_of_studies(aws, stack, boundary)):
            for page in iam.get_paginator("list_role_policies").paginate(RoleName=name):
                for policy in page["PolicyNames"]:
                    iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)
            said(f"role {name}: removed")


def _of_studies(aws: Aws, stack: str, boundary: str) -> Iterator[str]:
    """By name; and then by boundary, as another stack's name may begin in the same way."""
    iam, prefix = aws("iam"), role_name(stack, "task-")
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            name = str(role["RoleName"])
            if not name.startswith(prefix):
                continue
            bound = iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary", {})
            if bound.get("PermissionsBoundaryArn") == boundary:
                yield name
