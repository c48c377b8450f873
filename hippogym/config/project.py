"""The section ``project``: what the study is called, its steps, and where it is placed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, model_validator

from hippogym.config.arms import study_conditions, study_endings
from hippogym.config.fields import Section, choice, flag, number, section, special, text, whole
from hippogym.config.steps import StepValue, study_steps
from hippogym.config.values import ORIGIN, Finding, Wrong, web_origins

ID = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"
LINE = r"^[^\n\t]*$"
BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
DOMAIN = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])$"
REGION = r"^[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}$"
STORED = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"

MEMORY_GB = {1: (2, 8), 2: (4, 16), 4: (8, 30)}
"""Whole GB that a container may have, lowest and highest, for each number of vCPUs."""

RECRUITING = ("prolific", "mturk", "sona", "none")

_BUCKET = "the name of a bucket (3 to 63 lower-case letters, digits, - and .)"
_STORED = "the key of a file in the bucket, such as SSL/fullchain.pem"


def _vcpus(value: object) -> int:
    """A Literal would take True and 1.0 for 1."""
    if type(value) is not int or value not in MEMORY_GB:
        raise Wrong([Finding()])
    return value


def _recruiting(value: object) -> str | None:
    if value is not None and value not in RECRUITING:
        raise Wrong([Finding()])
    return value if isinstance(value, str) else None


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
    participantsPerTask: int = whole(
        1, 1, 100, example="participantsPerTask: 4",
        meaning="Participants who share a container, and with it its vCPUs and its memory; at most "
        "`trial.maxParticipants`. 1 gives each their own, and existing front ends need 1. Who comes after the first "
        "quarter of maxRuntime gets another container, and an interruption moves all who are on one.",
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


class Assignment(Section):
    """How participants come into conditions and into groups of pages."""

    method: Literal["balanced", "blocks", "random"] = choice(
        "balanced", "balanced, blocks or random", example="method: blocks",
        meaning="`balanced`: into the arm that has the fewest, counting those who are done and those under way. "
        "`blocks`: shuffled blocks with every arm in its share. `random`: by lot, so the arms may differ.",
    )  # fmt: skip
    blockSize: int | None = whole(
        None, 1, 10_000, example="blockSize: 4",
        meaning="Participants in a block, with `blocks`. Absent: as few as give every arm its share.",
    )  # fmt: skip
    seed: int | None = whole(
        None, 0, 2_147_483_647, example="seed: 1",
        meaning="What all chance is drawn from. Absent: made at the first start, and kept with the answers.",
    )  # fmt: skip
    giveBack: float = number(
        30, 1, 10_080, example="giveBack: 30",
        meaning="Minutes without a sign of life after which an unfinished visit counts as abandoned, and its place in "
        "an arm is given to somebody else.",
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
    steps: Annotated[Mapping[str, StepValue], PlainValidator(study_steps)] = special(
        {}, "a map from 1, 2, 3, … and finalStep to file names", shown="none: only the game",
        example="steps: {1: consent.html, 2: game, finalStep: thanks.html}",
        meaning="The participant's way: each number's page from StepFiles/, `game` for the game, nothing for a "
        "default page, or a map of details (below). `finalStep` is required and may repeat the last one. `step` is "
        "read as an older spelling.",
    )  # fmt: skip
    conditions: Annotated[Mapping[str, Mapping[str, Any]], PlainValidator(study_conditions)] = special(
        {}, "a map from names of conditions to what is different in each", shown="none",
        example="conditions: {slow: {trial: {startingFrameRate: 15}}, fast: }",
        meaning="The arms of the study. Each participant is in one of them, from the beginning to the end.",
    )  # fmt: skip
    assignment: Assignment = section(Assignment(), "How participants come into conditions and groups.")
    endings: Annotated[Mapping[str, Mapping[str, Any]], PlainValidator(study_endings)] = special(
        {}, "a map from complete, screenedOut, failedCheck, withdrew, fault and full to what is shown then",
        shown="a sentence and a signed code", example="endings: {screenedOut: {text: Thank you., code: SORRY-1}}",
        meaning="How the study ends for a participant: a page of your own or a text, a code, an address to return to.",
    )  # fmt: skip
    resume: Literal["resume", "restart", "refuse"] = choice(
        "resume", "resume, restart or refuse", example="resume: restart",
        meaning="What happens to a game whose environment is gone (the participant came back too late, the trial "
        "failed, the server was restarted). `resume`: a new trial with the episodes that are left. `restart`: with "
        "all of them. `refuse`: the study ends for this participant, as `fault`.",
    )  # fmt: skip
    attentionLimit: int | None = whole(
        None, 0, 1_000, example="attentionLimit: 1",
        meaning="Attention checks that a participant may fail; one more ends the study, as `failedCheck`. Absent: "
        "failed checks are only recorded.",
    )  # fmt: skip
    withdraw: bool = flag(
        True, example="withdraw: True",
        meaning="Every page has a button with which a participant leaves the study, and may have everything deleted.",
    )  # fmt: skip
    scripts: bool = flag(
        False, example="scripts: False", meaning="Run the scripts of the step files. They can read all that is entered."
    )
    recruiting: Annotated[str | None, PlainValidator(_recruiting)] = special(
        None, "prolific, mturk, sona or none", shown="recognised from the link", example="recruiting: prolific",
        meaning="Where participants come from, which says how their links and codes look.",
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
