"""docs/cloud-limits.md says what is computed, and what is computed follows from how participants come."""

import importlib.util
import sys

import pytest

from hippogym.deploy.aws_command import ROOT, TEMPLATE

SPEC = importlib.util.spec_from_file_location("cloud_limits", ROOT / "scripts" / "cloud_limits.py")
assert SPEC is not None and SPEC.loader is not None
limits = sys.modules["cloud_limits"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(limits)

PAGE = (ROOT / "docs" / "cloud-limits.md").read_text("utf-8")


def test_the_page_has_the_tables_as_they_are_computed():
    assert limits.with_tables(PAGE) == PAGE, "renew them: python scripts/cloud_limits.py docs/cloud-limits.md"


def test_a_table_that_has_no_place_is_noticed():
    with pytest.raises(ValueError, match="first"):
        limits.with_tables(PAGE.replace("<!-- table: first -->", ""))


@pytest.mark.parametrize("quota", limits.QUOTAS, ids=lambda quota: quota.name)
def test_more_participants_need_more_and_sharing_needs_no_more(quota):
    for fewer, more in zip(limits.COUNTS, limits.COUNTS[1:], strict=False):
        assert 0 < quota.needs(limits.Load(fewer)) < quota.needs(limits.Load(more))
        assert quota.needs(limits.Load(more, 8)) <= quota.needs(limits.Load(more))


def test_vcpus_bind_first_and_ten_participants_need_to_ask_for_nothing():
    assert limits.binding(limits.Load(10)) == []
    for count in limits.COUNTS[1:]:
        assert limits.binding(limits.Load(count))[0].name == "Fargate Spot vCPUs"


def test_what_the_stack_itself_sets_is_what_the_template_says():
    template = TEMPLATE.read_text()
    of = {quota.name: quota.default for quota in limits.QUOTAS if quota.source == "aws/template.yml"}
    assert f"ThrottlingRateLimit: {of['requests to the stack' + chr(39) + 's API']} " in template
    assert (
        "MostTasks:\n    Type: Number\n    Default: 50" in template and of["servers of one project (MostTasks)"] == 50
    )
    assert template.count("/18") >= 2 and of["addresses in the stack's two subnets"] == 2 * (2**14 - 5)
