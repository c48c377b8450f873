"""The desk of a server that stands alone: what a ticket lets into, and how far the game is."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.config import environment, load_study
from hippogym.core.study.tickets import Ticket, read, read_ticket, sign
from hippogym.errors import ConfigError, RecordError, StorageError
from hippogym.live import ticket_desk
from hippogym.live.ticket_desk import NOT_LOOKED, TicketDesk
from tests.clients import join
from tests.live.hosting import hosting
from tests.records import manifest, wait_for_files

KEY, NOW_S, VISIT = secrets.token_bytes(32), 1_800_000_000.0, "0a" * 10
SAID = {
    "visit": VISIT, "user": "ann", "step": "game", "condition": "slow", "overrides": [{"maxEpisodes": 4}],
    "agent": {"strength": 3}, "episodes_done": 1, "preview": False, "turn": 2, "until_s": NOW_S + 60,
}  # fmt: skip


def ticket(**more: Any) -> str:
    return sign(KEY, "ticket", SAID | more)


@pytest.fixture
def make_desk(study: Path) -> Callable[..., TicketDesk]:
    def make(look: Callable[[Ticket], int] = lambda ticket: 0, resume: str = "resume") -> TicketDesk:
        desk = TicketDesk(KEY, resume, load_study(study).trial_settings, look, clock=lambda: NOW_S)
        desk.kept = []
        desk.keep = lambda visit, receipts: desk.kept.append((visit, list(receipts)))
        return desk

    return make


async def episodes(desk: TicketDesk, **about: Any) -> int:
    admission = await desk.admit(ticket(**about))
    return admission.spec_overrides["episodes_done"]


async def play(desk: TicketDesk, played: int, reason: str, visit: str = VISIT) -> dict[str, Any]:
    trial = f"trial-{secrets.token_hex(4)}"
    await desk.began(visit, trial, "game")
    result = {"trial": trial, "episodes": played, "ticks": 10 * played, "score": 1.0 * played, "reason": reason}
    return read(KEY, "receipt", await desk.over(visit, result))


async def test_a_ticket_says_all_that_a_trial_has_to_know(make_desk) -> None:
    admission = await make_desk().admit(ticket())
    assert (admission.visit_id, admission.user) == (VISIT, "ann")
    own = admission.spec_overrides
    assert own["settings"]["maxEpisodes"] == 4 and own["settings"]["game"] == "count-40"
    assert {name: own[name] for name in own if name != "settings"} == {
        "condition": "slow", "agent": {"strength": 3}, "step": "game", "episodes_done": 1, "preview": False,
        "header": {"turn": 2},
    }  # fmt: skip


@given(st.data())
def test_a_ticket_with_one_letter_changed_is_none(data: st.DataObject) -> None:
    text = ticket()
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(max_codepoint=0x1F600).filter(lambda letter: letter != text[place]))
    changed = text[:place] + letter + text[place + 1 :]
    found = read_ticket(KEY, changed, NOW_S)
    assert found is None or place == len(text) - 1, "the last letter of base64 has bits that mean nothing"


@given(st.text(max_size=80))
def test_no_text_is_a_ticket_that_was_not_signed(text: str) -> None:
    assert read_ticket(KEY, text, NOW_S) is None


async def test_what_the_bucket_says_counts_where_it_is_further_than_the_ticket(make_desk) -> None:
    assert await episodes(make_desk(lambda ticket: 3)) == 3
    assert await episodes(make_desk(lambda ticket: 0)) == 1


async def test_what_was_played_here_counts_as_well(make_desk) -> None:
    desk = make_desk()
    assert await episodes(desk) == 1
    await play(desk, 2, "abandoned")
    assert await episodes(desk) == 3, "the same ticket once more, before the bucket has it all"
    assert await episodes(desk, step="other") == 1 and await episodes(desk, round=1) == 1


async def test_a_study_that_starts_games_over_goes_by_the_ticket(make_desk) -> None:
    desk = make_desk(lambda ticket: 3, resume="restart")
    assert await episodes(desk, episodes_done=0) == 0
    await play(desk, 2, "abandoned")
    assert await episodes(desk, episodes_done=0) == 0


async def test_a_ticket_for_another_game_changes_nothing_in_the_one_that_is_played(make_desk) -> None:
    desk = make_desk()
    practice, game = ticket(step="practice", overrides=[{"maxEpisodes": 1}]), ticket()
    await desk.admit(game)
    await desk.admit(practice)  # in another tab, before the game has begun
    began = read(KEY, "receipt", await desk.began(VISIT, "t1", "game"))
    assert (await desk.admit(practice)).spec_overrides["step"] == "game", "they go on with what they play"
    over = await desk.over(VISIT, {"trial": "t1", "episodes": 3, "ticks": 9, "score": 0.0, "reason": "finished"})
    assert (began["step"], read(KEY, "receipt", over)["step"]) == ("game", "game")
    assert await desk.admit(game) is None and await desk.admit(practice) is not None


@pytest.mark.parametrize(
    ("resume", "reasons", "may"),
    [
        ("resume", ["finished"], False), ("resume", ["stopped"], False), ("resume", ["withdrew"], False),
        ("resume", ["abandoned", "server", "failed", "failed"], True), ("resume", ["failed"] * 3, False),
        ("restart", ["abandoned"], True), ("refuse", ["abandoned"], False),
    ],
)  # fmt: skip
async def test_after_the_end_of_a_game_its_ticket_opens_nothing(make_desk, resume, reasons, may) -> None:
    desk = make_desk(resume=resume)
    for reason in reasons:
        assert await desk.admit(ticket()) is not None
        await play(desk, 0, reason)
    assert (await desk.admit(ticket()) is not None) is may


async def test_a_bucket_that_does_not_answer_is_asked_again_and_then_done_without(make_desk, monkeypatch, caplog):
    monkeypatch.setattr(ticket_desk, "LOOK_AGAIN_S", 0.001)
    asked = []

    def look(ticket: Ticket) -> int:
        asked.append(ticket)
        if len(asked) < 3:
            raise StorageError("the store is away")
        return 2

    assert await episodes(make_desk(look)) == 2
    monkeypatch.setattr(ticket_desk, "LOOK_WITHIN_S", 0.05)

    def away(ticket: Ticket) -> int:
        raise StorageError("the store is away")

    admission = await make_desk(away).admit(ticket())
    assert admission.spec_overrides["episodes_done"] == 1
    assert admission.spec_overrides["header"] == {"turn": 2, "going_on": NOT_LOOKED}
    assert "the store is away" in caplog.text


async def test_settings_that_the_image_does_not_know_are_an_error_without_their_values(make_desk) -> None:
    with pytest.raises(RecordError, match="deploy the study again") as problem:
        await make_desk().admit(ticket(overrides=[{"maxEpisodes": "canary"}]))
    assert "canary" not in str(problem.value) and problem.value.__cause__ is None


async def test_the_bucket_gets_the_newest_of_each_kind_of_the_newest_trial(make_desk) -> None:
    desk = make_desk()
    await episodes(desk)
    await desk.began(VISIT, "one", "game")
    for episode in (1, 2):
        await desk.progress(VISIT, {"trial": "one", "episodes": episode, "ticks": 5, "score": 0.0})
    over = await desk.over(VISIT, {"trial": "one", "episodes": 2, "ticks": 9, "score": 0.0, "reason": "server"})
    visit, kept = desk.kept[-1]
    said = [read(KEY, "receipt", text) for text in kept]
    assert (visit, kept[-1], [one["kind"] for one in said]) == (VISIT, over, ["began", "progress", "over"])
    assert said[1]["episodes"] == 2 and [one["number"] for one in said] == [1, 3, 4]
    await desk.began(VISIT, "two", "game")
    assert [read(KEY, "receipt", text)["trial"] for text in desk.kept[-1][1]] == ["two"]


async def test_games_whose_time_is_over_end_in_order_and_the_study_goes_on(study: Path) -> None:
    async with hosting(study) as host, join(host.ws) as client:
        desk = host.sessions.desk = TicketDesk(KEY, "resume", load_study(study).trial_settings, clock=lambda: NOW_S)
        await client.hello("ann", visit=ticket(episodes_done=0))
        await client.until_frame()
        await client.say(command="start")
        await client.until_frame(3)
        assert await host.sessions.stop(60, "time") == 0
        assert (await client.until("done"))["done"]["reason"] == "time"
        assert await client.until_closed() == 1000
        over = read(KEY, "receipt", client.all("receipt")[-1])
        assert (over["kind"], over["reason"], over["episodes"]) == ("over", "stopped", 0)
        [file] = wait_for_files(host.as_server(), 1)
        assert manifest(file)["episodes"][0]["reason"] == "time"
        assert await desk.admit(ticket()) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("TICKET_KEY", "not-a-key"), ("TICKET_KEY", "c2hvcnQ="), ("UNTIL_S", "soon"), ("PAGE_ORIGIN", "page.example.org")],
)
def test_an_environment_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"The environment variable {name} is") as problem:
        environment()
    assert name != "TICKET_KEY" or value not in str(problem.value)
