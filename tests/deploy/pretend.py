"""Resources that moto's CloudFormation passes over, as things that have names, so that the template is tried whole."""

import json
from typing import Any

from moto.core.common_models import CloudFormationModel

MISSING = (
    "AWS::S3::BucketPolicy", "AWS::CloudFront::OriginAccessControl", "AWS::CloudFront::ResponseHeadersPolicy",
    "AWS::CloudFront::Distribution", "AWS::ECS::ClusterCapacityProviderAssociations", "AWS::Scheduler::ScheduleGroup",
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage", "AWS::Budgets::Budget",
)  # fmt: skip

MADE: dict[str, dict[str, Any]] = {}
"""Physical name → the properties that it was made with, or changed to; what was deleted is not in it."""


class Pretended(CloudFormationModel):
    """One of them."""

    kind = ""

    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        self.physical_resource_id = name
        self.properties = properties
        MADE[name] = properties

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def is_created() -> bool:
        return True

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in ("Id", "DomainName", "Arn")

    def get_cfn_attribute(self, attr: str) -> str:
        return f"{self.physical_resource_id}.cloudfront.net" if attr == "DomainName" else self.physical_resource_id

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, *_: Any, **__: Any) -> "Pretended":
        return cls(resource_name.lower(), json.loads(json.dumps(cloudformation_json["Properties"], default=str)))

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, *_: Any, **__: Any
    ) -> "Pretended":
        return cls(original_resource.physical_resource_id, dict(cloudformation_json["Properties"]))

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name, *_: Any, **__: Any) -> None:
        MADE.pop(resource_name, None)


KINDS = [
    type(
        kind.replace("::", ""),
        (Pretended, CloudFormationModel),
        {"cloudformation_type": staticmethod(lambda k=kind: k)},
    )
    for kind in MISSING
]
