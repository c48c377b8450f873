"""Who may open the dashboard, and what its pages are told: decided without a socket."""

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.errors import StartError
from hippogym.pages.dashboard.door import MOST_ADDRESSES, TRIES_AT_ONCE, Door, Verdict, dashboard_token
from hippogym.pages.dashboard.news import Kept, changes
from hippogym.pages.dashboard.visitor import MOST_CHARACTERS, read_object
from hippogym.pages.dashboard_routes import dashboard_link

TOKEN = "correct-horse-battery-staple"
SECOND_NS = 10**9


def test_a_token_is_made_anew_and_is_long():
    made = {dashboard_token(None) for _ in range(100)}
    assert len(made) == 100
    assert min(len(token) for token in made) >= 32


@pytest.mark.parametrize(
    "given", ["", "short", "a" * 64, "abababababababababababab", "x" * 19, "pässwörter-sind-schön-und-lang"]
)
def test_a_token_that_could_be_guessed_is_refused_at_the_start(given):
    with pytest.raises(StartError, match="HIPPOGYM_DASHBOARD_TOKEN"):
        dashboard_token(given)


def test_a_token_of_the_environment_stays_as_it_is():
    assert dashboard_token(TOKEN) == TOKEN


def test_the_link_keeps_the_token_from_servers_and_proxies():
    link = dashboard_link("https://lab.example:5000/", TOKEN)
    assert link == f"https://lab.example:5000/dashboard#token={TOKEN}"


def test_only_the_token_opens():
    door = Door(TOKEN)
    for number, wrong in enumerate(["", TOKEN[:-1], TOKEN + " ", TOKEN.upper(), "\ud800", "x" * 4000]):
        assert door.try_token(wrong, f"10.0.0.{number}", 0) is Verdict.WRONG
    assert door.try_token(TOKEN, "10.1.0.1", 0) is Verdict.OPEN


def test_after_a_few_wrong_ones_an_address_must_wait_even_with_the_right_one():
    door = Door(TOKEN)
    for _ in range(TRIES_AT_ONCE):
        assert door.try_token("wrong", "10.0.0.1", 0) is Verdict.WRONG
    assert door.try_token(TOKEN, "10.0.0.1", 0) is Verdict.LATER, "else trying on would be worth it"
    assert door.try_token(TOKEN, "10.0.0.2", 0) is Verdict.OPEN, "others need not wait"
    assert door.try_token(TOKEN, "10.0.0.1", 6 * SECOND_NS) is Verdict.OPEN


def test_coming_back_often_with_the_right_token_is_no_try():
    door = Door(TOKEN)
    assert {door.try_token(TOKEN, "10.0.0.1", 0) for _ in range(100)} == {Verdict.OPEN}


def test_who_has_a_whole_ipv6_network_has_one_address():
    door = Door(TOKEN)
    network = ipaddress.ip_network("2001:db8:1:2::/64")
    verdicts = [door.try_token("wrong", str(network[number]), 0) for number in range(TRIES_AT_ONCE + 1)]
    assert verdicts[-1] is Verdict.LATER


def test_the_memory_of_tries_is_bounded():
    door = Door(TOKEN)
    for number in range(MOST_ADDRESSES + 10):
        door.try_token("wrong", f"host-{number}", 0)
    assert len(door._tries) == MOST_ADDRESSES


PEOPLE = st.lists(
    st.fixed_dictionaries(
        {"trial": st.sampled_from("abcdef"), "tick": st.integers(0, 3), "state": st.sampled_from(["playing", "paused"])}
    ),
    unique_by=lambda person: person["trial"],
)


@given(st.lists(PEOPLE, max_size=6))
def test_a_page_that_adds_up_the_changes_knows_what_the_server_knows(pictures):
    known: dict[str, dict] = {}
    page: dict[str, dict] = {}
    for people in pictures:
        told = changes(known, people)
        for person in told.get("changed", []):
            page.setdefault(person["trial"], {}).update(person)
        for trial in told.get("gone", []):
            del page[trial]
        known = {person["trial"]: person for person in people}
        assert page == known
        assert changes(known, people) == {}


def test_only_what_has_changed_is_told():
    before = {"a": {"trial": "a", "tick": 1, "user": "alice"}, "b": {"trial": "b", "tick": 1}}
    told = changes(before, [{"trial": "a", "tick": 2, "user": "alice"}, {"trial": "b", "tick": 1}])
    assert told == {"changed": [{"trial": "a", "tick": 2}], "gone": []}


@pytest.mark.parametrize("text", ["", "1", "[]", "{", "null", "[" * 3000, '{"token": "' + "x" * MOST_CHARACTERS + '"}'])
def test_what_is_no_small_object_is_nothing(text):
    assert read_object(text) == {}


async def test_a_question_is_asked_once_however_many_want_to_know():
    asked = []

    async def ask() -> int:
        asked.append(1)
        await asyncio.sleep(0)
        return len(asked)

    kept = Kept(ask, 3600, "The number")
    assert await asyncio.gather(*(kept.newest() for _ in range(20))) == [1] * 20


async def test_a_ledger_in_trouble_is_a_sentence_and_one_line_in_the_log(caplog):
    async def ask() -> int:
        raise OSError("disk I/O error")

    kept = Kept(ask, 0, "The study's answers")
    for _ in range(3):
        answer = await kept.newest()
        assert answer["trouble"].startswith("The study's answers cannot be shown")
        assert "disk I/O" not in answer["trouble"]
    assert len(caplog.records) == 1
