"""Names of servers in Route53. Setting and removing can both be repeated."""

from typing import Any

from botocore.exceptions import ClientError

from functions.objects import code_of, told
from functions.surroundings import Surroundings

TTL_S = 30


class Names:
    """A records below the root domain."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._zone = around.settings["HOSTED_ZONE"]

    def set(self, name: str, ip: str) -> None:
        """Raises RecordError."""
        record = {"Name": name, "Type": "A", "TTL": TTL_S, "ResourceRecords": [{"Value": ip}]}
        with told():
            self._change("UPSERT", record)

    def remove(self, name: str) -> None:
        """Also where there is none. Raises RecordError."""
        with told():
            found = self._around("route53").list_resource_record_sets(
                HostedZoneId=self._zone, StartRecordName=name, StartRecordType="A", MaxItems="1"
            )
            for record in found["ResourceRecordSets"]:
                if record["Name"].rstrip(".") == name and record["Type"] == "A":
                    self._delete(record)

    def _delete(self, record: dict[str, Any]) -> None:
        try:
            self._change("DELETE", record)
        except ClientError as problem:
            if code_of(problem) != "InvalidChangeBatch":  # else somebody was quicker
                raise

    def _change(self, action: str, record: dict[str, Any]) -> None:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        self._around("route53").change_resource_record_sets(HostedZoneId=self._zone, ChangeBatch=batch)
