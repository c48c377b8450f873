"""What happens besides: somebody walks away in the middle of a game, and things are left that are nobody's."""

import base64
import json
from pathlib import Path

from tests.deploy.rehearsal.person import person
from tests.deploy.rehearsal.stage import STACK, Stage
from tests.deploy.rehearsal.study import DOMAIN, PROJECT
from tests.patience import PATIENCE_S

NOBODY = "0123456789abcdef0123"
ENVIRONMENT = [
    {"name": "SERVER_ID", "value": NOBODY},
    {"name": "TICKET_KEY", "value": base64.b64encode(bytes(32)).decode()},
    {"name": "UNTIL_S", "value": str(2**32)},
]


def somebody_walks_away(there: Stage, pictures: Path | None) -> None:
    """Their browser is closed in the game: at maxRuntime the server stops, and what they did is kept."""
    before = len(there.tasks.all)
    with person(there.net.url, there.authority.spki, pictures) as somebody:
        somebody.open(f"{there.link}&PROLIFIC_PID=5f0walksaway")
        somebody.agree()
        somebody.wait_for_card("Ready when you are")
        somebody.start()
        somebody.wait_for_episode(0, 30)
    [schedule] = there.schedules()
    [task] = there.tasks.alive
    there.events.turn_clock(30 * 60)
    there.wait_for("the server stops at maxRuntime", lambda: is_tidy(there), PATIENCE_S + 120)
    assert len(there.tasks.all) == before + 1 and task.code == 0, there.troubles()
    [server] = [one for one in there.documents("servers") if one["id"] == schedule]
    assert server["state"] == "over"
    records = [key for key in there.objects(f"{PROJECT}/Trials/5f0walksaway/") if key.endswith(".pkl")]
    assert len(records) == 1, records


def something_is_left_behind(there: Stage) -> None:
    """A task that no document knows, a name whose server has stopped: the janitor's next rounds have them removed."""
    client = there.account.client
    start = client("lambda").get_function_configuration(FunctionName=f"hippogym-{STACK}-start")["Environment"]
    settings = start["Variables"]
    client("ecs").run_task(
        cluster=settings["CLUSTER"], taskDefinition=f"{STACK}-{PROJECT}", startedBy=f"{PROJECT}/{NOBODY}/1",
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": settings["SUBNETS"].split(","), "securityGroups": [settings["SECURITY_GROUP"]],
            }
        },
        overrides={"containerOverrides": [{"name": "hippo", "environment": ENVIRONMENT}]},
    )  # fmt: skip
    gone = json.dumps({**there.documents("servers")[0], "id": NOBODY, "state": "stopped"})
    bucket = there.outputs["StudyBucket"]
    client("s3").put_object(Bucket=bucket, Key=f"{PROJECT}/servers/{NOBODY}.json", Body=gone)
    record = {"Name": f"{NOBODY}.{DOMAIN}", "Type": "A", "TTL": 30, "ResourceRecords": [{"Value": "127.9.9.9"}]}
    client("route53").change_resource_record_sets(
        HostedZoneId=settings["HOSTED_ZONE"],
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
    )
    there.wait_for("a task runs", lambda: there.tasks.alive and there.tasks.alive[0].running, PATIENCE_S)
    assert there.names()
    there.events.turn_clock(601)
    there.wait_for("the janitor has it removed", lambda: is_tidy(there), PATIENCE_S + 120)


def is_tidy(there: Stage) -> bool:
    """Nothing runs, no name leads anywhere, and nothing is to end."""
    return not there.tasks.alive and not there.names() and not there.schedules()
