"""What a study costs: the arithmetic, the table, and the page that documents it."""

import json
import re
from pathlib import Path

import pytest

from hippogym.cli import main
from hippogym.core import cost as prices
from hippogym.core.cost import KINDS, ON_DEMAND_X86, READ, Plan, cost, price, traffic

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "cost.md").read_text("utf-8")


def test_an_hour_is_its_cpus_its_memory_and_its_address():
    x86 = price("us-east-1", "FARGATE", "x86")
    assert x86.task_hour(2, 4) == pytest.approx(2 * 0.04048 + 4 * 0.004445 + 0.005)
    assert x86.task(2, 4, 1_800) == pytest.approx(x86.task_hour(2, 4) / 2)


@pytest.mark.parametrize(("seconds", "billed"), [(0, 60), (59.2, 60), (60, 60), (60.1, 61), (3_600, 3_600)])
def test_whole_seconds_are_paid_for_and_at_least_a_minute(seconds, billed):
    assert prices.billed_s(seconds) == billed


def test_a_study_is_its_tasks_with_the_time_in_which_they_start():
    spot = price("us-east-1", "FARGATE_SPOT", "arm")
    its = cost(spot, Plan(participants=50, minutes=27, max_runtime=60, vcpus=1, memory_gb=2))
    assert its.participant == pytest.approx(spot.task_hour(1, 2) / 2)
    assert its.study == pytest.approx(50 * its.participant)
    assert its.most == pytest.approx(50 * its.hour)


def test_nobody_is_served_for_longer_than_max_runtime():
    spot = price("us-east-1", "FARGATE_SPOT", "x86")
    its = cost(spot, Plan(participants=2, minutes=500, max_runtime=30))
    assert its.study == its.most == pytest.approx(its.hour)


def test_participants_may_share_a_server():
    x86 = price("us-east-1", "FARGATE", "x86")
    alone = cost(x86, Plan(participants=9, minutes=20, max_runtime=60))
    shared = cost(x86, Plan(participants=9, minutes=20, max_runtime=60, per_task=4))
    assert shared.study == pytest.approx(alone.study * 3 / 9)
    assert shared.participant == pytest.approx(alone.participant / 4)


def test_pictures_are_paid_for_by_their_weight():
    shown = traffic(Plan(participants=10, minutes=20, max_runtime=60), frames_per_s=30, frame_kb=12)
    assert shown.participant_gb == pytest.approx(0.432)
    assert shown.study == pytest.approx(10 * 0.432 * 0.09)


@pytest.mark.parametrize("region", ON_DEMAND_X86)
def test_spot_and_arm_are_cheaper_everywhere(region):
    hours = [price(region, *kind).task_hour(2, 4) for kind in KINDS]
    assert hours == sorted(hours)
    assert hours[0] > 0.25 * hours[-1]


def test_what_was_not_read_is_marked_and_in_proportion():
    assert not any(price(*row).estimated for row in READ)
    far = price("sa-east-1", "FARGATE_SPOT", "arm")
    assert far.estimated and far.vcpu_hour == pytest.approx(0.01030969 * 0.0696 / 0.04048)
    assert not price("sa-east-1", "FARGATE", "x86").estimated
    assert price("mars-north-1", "FARGATE", "x86").estimated


def test_arm_in_proportion_is_what_it_is_where_it_was_read():
    for region in ("us-west-2", "us-east-2"):
        assert price(region, "FARGATE", "arm").vcpu_hour == pytest.approx(READ["eu-west-1", "FARGATE", "arm"][0])


# -- at the terminal ---------------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    (tmp_path / "config.yml").write_text(
        "project: {id: s, maxRuntime: 40, useAWS: False, awsSetup: {region: us-west-2, cpu: 1, memory: 2}}\n"
        "trial: {game: CartPole-v1, startingFrameRate: 20}\n"
    )
    return tmp_path


def hippogym(capsys, study, *words):
    code = main(["cost", "--study", str(study), *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def as_data(capsys, study, *words):
    code, out, err = hippogym(capsys, study, "--json", *words)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_studys_own_settings_are_the_plan(study, capsys):
    plan = as_data(capsys, study)["plan"]
    assert (plan["vcpus"], plan["memory_gb"], plan["minutes"], plan["max_runtime"]) == (1, 2, 40, 40)
    told = as_data(capsys, study)
    assert told["pricesOf"] == prices.PRICES_OF and {row["region"] for row in told["costs"]} == {"us-west-2"}
    assert told["pictures"]["participant_gb"] == pytest.approx(40 * 60 * 20 * 12 / 1e6)


def test_a_study_that_does_not_speak_of_aws_can_be_priced_too(tmp_path, capsys):
    (tmp_path / "config.yml").write_text("trial: {game: CartPole-v1}\n")
    told = as_data(capsys, tmp_path, "--minutes", "999", "--participants", "5")
    assert told["plan"]["minutes"] == 60 and told["costs"][0]["region"] == "us-east-1"


def test_the_table_has_a_line_for_each_kind_of_server_the_cheapest_first(study, capsys):
    code, out, _ = hippogym(capsys, study, "--participants", "60", "--minutes", "20")
    assert code == 0
    lines = [line for line in out.splitlines() if line.startswith("Fargate")]
    assert [line[:20].strip() for line in lines] == [
        "Fargate Spot, ARM",
        "Fargate Spot, x86",
        "Fargate, ARM",
        "Fargate, x86",
    ]
    x86 = price("us-west-2", "FARGATE", "x86")
    study_cost = cost(x86, Plan(60, 20, 40, 1, 2)).study
    assert f"{study_cost:.2f}" in lines[3] and "~" not in lines[3] and lines[0].count("~") == 4
    assert prices.PRICES_OF in out and "60 participants" in out
    assert all(len(line) <= 120 for line in out.splitlines())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--cpu", "1", "--memory", "16"), "Fargate has no 16 GB with 1 vCPU, but 2 to 8 GB"),
        (("--cpu", "4", "--memory", "4"), "Fargate has no 4 GB with 4 vCPU, but 8 to 30 GB"),
    ],
)
def test_a_server_that_does_not_exist_is_refused(study, capsys, words, told):
    assert hippogym(capsys, study, *words) == (1, "", f"{told}\n")


def test_with_other_cpus_the_memory_is_one_that_exists(study, capsys):
    assert as_data(capsys, study, "--cpu", "4")["plan"]["memory_gb"] == 8


@pytest.mark.parametrize("words", [("--participants", "0"), ("--minutes", "0"), ("--minutes", "nan"), ("--cpu", "3")])
def test_what_makes_no_sense_is_refused(study, words, capsys):
    with pytest.raises(SystemExit) as refused:
        main(["cost", "--study", str(study), *words])
    assert refused.value.code == 2


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_has_the_prices_of_the_table_and_their_date():
    assert prices.PRICES_OF in PAGE
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([\d.]+) \| ([\d.]+) \|", PAGE, re.MULTILINE)
    assert {region: (float(vcpu), float(gb)) for region, vcpu, gb in rows} == ON_DEMAND_X86
    read = re.findall(
        r"^\| (Fargate(?: Spot)?), (ARM|x86) \| `([a-z0-9-]+)` \| ([\d.]+) \| ([\d.]+) \|", PAGE, re.MULTILINE
    )
    assert {
        (region, {"Fargate": "FARGATE"}.get(capacity, "FARGATE_SPOT"), architecture.lower()): (float(vcpu), float(gb))
        for capacity, architecture, region, vcpu, gb in read
    } == READ
    for amount in (prices.PUBLIC_ADDRESS_HOUR, prices.TRAFFIC_GB):
        assert f"{amount:g}" in PAGE


def test_the_example_of_the_page_is_what_comes(tmp_path, capsys):
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "config.yml").write_text("trial: {game: ALE/MsPacman-v5}\n")
    assert hippogym(capsys, tmp_path, "--participants", "100", "--minutes", "20")[1] == shown
