"""The section ``project``: what the study is called, its steps, and where it is placed."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, model_validator

from hippogym.config.fields import Section, flag, section, special, text, whole
from hippogym.config.values import ORIGIN, Finding, Wrong, study_steps, web_origins

ID = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"
LINE = r"^[^\n\t]*$"
BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
DOMAIN = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])$"
REGION = r"^[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}$"
STORED = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"

MEMORY_GB = {1: (2, 8), 2: (4, 16), 4: (8, 30)}
"""Whole GB that a container may have, lowest and highest, for each number of vCPUs."""

_BUCKET = "the name of a bucket (3 to 63 lower-case letters, digits, - and .)"
_STORED = "the key of a file in the bucket, such as SSL/fullchain.pem"


def _vcpus(value: object) -> int:
    """A Literal would take True and 1.0 for 1."""
    if type(value) is not int or value not in MEMORY_GB:
        raise Wrong([Finding()])
    return value


class AwsSetup(Section):
    """Where the study runs on AWS."""

    bucket: str | None = text(
        None, _BUCKET, BUCKET, longest=63, example="bucket: my-lab-studies",
        meaning="The working bucket: project_master_list.json and one folder per project (step files, answers, "
        "records). Needed when `useAWS` is True.",
    )  # fmt: skip
    region: str | None = text(
        None, "the name of a region, such as us-west-2", REGION, longest=40, example="region: us-west-2",
        meaning="Where the AWS services are. Needed when `useAWS` is True.",
    )  # fmt: skip
    rootDomain: str | None = text(
        None, "a domain without a scheme, such as lab.example.org", DOMAIN, example="rootDomain: lab.example.org",
        meaning="A domain hosted in Route53 (it may be a subdomain); participants' servers get names below it.",
        longest=253,
    )  # fmt: skip
    cpu: Annotated[int, PlainValidator(_vcpus)] = special(
        2, "1, 2 or 4", example="cpu: 2", meaning="vCPUs of each participant's container; 2 is usual."
    )
    memory: int = whole(
        4, 2, 30, example="memory: 8",
        meaning="Whole GB of each container: 2–8 with 1 vCPU, 4–16 with 2, 8–30 with 4. How much depends on the "
        "agent and on what is recorded per tick.",
    )  # fmt: skip


class Events(Section):
    """When a participant's server is started and stopped, in steps of the study."""

    startServerStep: int | None = whole(
        None, 1, 9_999, example="startServerStep: 1",
        meaning="The step at which the participant's server is started; that takes some minutes. Usually 1, later "
        "if a long video comes first.",
    )  # fmt: skip
    stopServerStep: int | None = whole(
        None, 1, 9_999, example="stopServerStep: 4",
        meaning="The step at which it is stopped: one after the game. `finalStep` counts as the step after the last "
        "numbered one.",
    )  # fmt: skip


class Ssl(Section):
    """Where the certificate of participants' servers is kept. It is valid for 90 days: plan to renew it."""

    sslBucket: str | None = text(
        None, _BUCKET, BUCKET, longest=63, example="sslBucket: my-lab-certificates",
        meaning="The bucket that holds the certificate files.",
    )  # fmt: skip
    fullchain: str | None = text(
        None, _STORED, STORED, example="fullchain: SSL/fullchain.pem", meaning="The certificate chain's key in it."
    )
    privkey: str | None = text(
        None, _STORED, STORED, example="privkey: SSL/privkey.pem",
        meaning="The private key's key in it. `privkey.pem` is read as an older spelling.",
    )  # fmt: skip


class Project(Section):
    """The study as a project among others; all of it may be left out."""

    id: str = text(
        "study", "an id of letters, digits and dashes (at most 63, no dash at either end)", ID, longest=63,
        example="id: pacman-2",
        meaning="The project's id, unique in the organisation; folders and infrastructure are named after it.",
    )  # fmt: skip
    name: str = text(
        "", "a line of text", LINE, example="name: Ms. Pac-Man pilot", shown="empty",
        meaning="A label for people, in the master list of projects and on the page.",
    )  # fmt: skip
    researcher: str = text(
        "", "a line of text", LINE, example="researcher: the principal investigator's name", shown="empty",
        meaning="Who answers for the study; for reference in the master list.",
    )  # fmt: skip
    teamMembers: str = text(
        "", "a line of text", LINE, example="teamMembers: names, separated by commas", shown="empty", longest=1_000,
        meaning="Who else works on it; for reference in the master list.",
    )  # fmt: skip
    live: bool = flag(
        True, example="live: True", meaning="False: for participants, it is as if the project did not exist."
    )
    useAWS: bool = flag(
        False, example="useAWS: False", shown="True where `awsSetup` is written, else False",
        meaning="False: nothing of AWS is touched.",
    )  # fmt: skip
    maxRuntime: int = whole(
        60, 1, 10_080, example="maxRuntime: 60",
        meaning="Minutes after which a participant's server on AWS stops, whatever the participant does.",
    )  # fmt: skip
    origins: Annotated[tuple[str, ...], PlainValidator(web_origins)] = special(
        (), f"a list; each entry {ORIGIN}", example="origins: ['https://lab.example.org']", shown="none",
        meaning="Web origins, beside the study's own, whose pages may connect, embed, style or be returned to. "
        "Compared exactly: lower case, no slash at the end, no :443.",
    )  # fmt: skip
    steps: Annotated[Mapping[str, str | None], PlainValidator(study_steps)] = special(
        {}, "a map from 1, 2, 3, … and finalStep to file names", shown="none: only the game",
        example="steps: {1: consent.html, 2: game, finalStep: thanks.html}",
        meaning="The participant's way: each number's page from StepFiles/, `game` for the game, nothing for a "
        "default page. `finalStep` is required and may repeat the last one. `step` is read as an older spelling.",
    )  # fmt: skip
    events: Events = section(Events(), "Start and stop of a participant's server.")
    awsSetup: AwsSetup | None = section(None, "Where the study runs on AWS.")
    ssl: Ssl = section(Ssl(), "Where the certificate is kept.")

    @model_validator(mode="before")
    @classmethod
    def _aws_is_meant_where_it_is_described(cls, values: Any) -> Any:
        """Studies older than useAWS have none, and mean AWS when they describe it."""
        if isinstance(values, dict) and "useAWS" not in values:
            return values | {"useAWS": values.get("awsSetup") is not None}
        return values
