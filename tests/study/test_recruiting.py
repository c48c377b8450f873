"""Who has sent somebody is told by their link, which anybody can have typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.study.recruiting import SITES, is_preview, recognise, study_of, submission_of

PROLIFIC = {"PROLIFIC_PID": "60f1a", "STUDY_ID": "s1", "SESSION_ID": "x9"}
MTURK = {"workerId": "A1B2", "assignmentId": "3QAS", "hitId": "3HIT", "turkSubmitTo": "https://www.mturk.com"}


@pytest.mark.parametrize(
    ("link", "site", "user", "submission", "study"),
    [
        (PROLIFIC, "prolific", "60f1a", "x9", "s1"),
        (MTURK, "mturk", "A1B2", "3QAS", "3HIT"),
        ({"survey_code": "48213"}, "sona", "48213", "48213", None),
        ({"id": "48213"}, "sona", "48213", "48213", None),
        ({"userId": "anna"}, None, "anna", None, None),
        ({}, None, None, None, None),
        ({"id": "pilot-b", "userId": "anna"}, None, "anna", None, None),
        ({"PROLIFIC_PID": "", "userId": "anna"}, None, "anna", None, None),
        ({"PROLIFIC_PID": "  60f1a\n"}, "prolific", "60f1a", None, None),
    ],
)
def test_a_site_is_recognised_by_its_parameters(link, site, user, submission, study):
    assert recognise(link) == (site, user)
    assert (submission_of(site, link), study_of(site, link)) == (submission, study)


def test_the_studys_setting_decides_where_a_link_could_be_anybodys():
    both = PROLIFIC | MTURK | {"userId": "anna", "id": "7"}
    assert [recognise(both, site) for site in (*SITES, "none")] == [
        ("prolific", "60f1a"), ("mturk", "A1B2"), ("sona", "7"), (None, "anna"),
    ]  # fmt: skip
    assert recognise(PROLIFIC, "mturk") == (None, None)


@pytest.mark.parametrize(
    ("link", "preview"),
    [
        ({"preview": ""}, True),
        ({"preview": "1"}, True),
        ({"preview": "False"}, False),
        ({"preview": "0"}, False),
        ({}, False),
        ({"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": "3HIT"}, True),
        (MTURK, False),
    ],
)
def test_who_only_looks_is_told_apart(link, preview):
    assert is_preview(link) is preview


@pytest.mark.parametrize("label", ["x" * 201, "a\x00b", "a\u202eb", " ", "a\nb"])
def test_what_cannot_be_a_name_is_nobody(label):
    assert recognise({"PROLIFIC_PID": label, "userId": label}) == (None, None)


@given(st.dictionaries(st.sampled_from([*PROLIFIC, *MTURK, "id", "survey_code", "userId", "preview"]), st.text()))
def test_whatever_stands_in_a_link_it_is_read(link):
    site, user = recognise(link)
    assert (site is None or user) and (
        user is None or (user.isprintable() and user in {v.strip() for v in link.values()})
    )
    assert is_preview(link) in (True, False)
