"""The desk: who is let in, what a visit shows, and that what has happened is kept before anybody is told."""

import asyncio
import json
import sqlite3

import pytest

from hippogym.core.study.codes import read_code
from hippogym.core.study.refusal import Refusal
from hippogym.errors import RecordError
from tests.study.at_the_desk import KEY, PAGES, Clock, Guest, opened, settings_of

ARMS = {"a": {"trial": {"game": "count-9"}, "agent": {"help": 1}}, "b": {"quota": 2}}


async def refused(work) -> str:
    with pytest.raises(Refusal) as refusal:
        await work
    return refusal.value.code


async def at_game(guest: Guest) -> Guest:
    await guest.arrive()
    await guest.submit(agree=True)
    assert guest.view["kind"] == "game"
    return guest


async def to_the_end(guest: Guest) -> Guest:
    await at_game(guest)
    await guest.play()
    await guest.look()
    await guest.submit(age="33", like="yes")
    return guest


async def test_the_whole_way_with_a_game_in_it(tmp_path):
    async with opened(tmp_path, settings_of()) as desk:
        guest = await to_the_end(Guest(desk, userId="ada"))
        assert guest.view["end"]["outcome"] == "complete"
        assert read_code(KEY, guest.view["end"]["code"]).outcome == "complete"
        assert (guest.view["title"], guest.view["of"]) == ("Thanks", 3)


async def test_a_game_is_open_to_who_is_at_it_and_to_nobody_else(tmp_path):
    async with opened(tmp_path, settings_of()) as desk:
        guest = await Guest(desk, userId="ada").arrive()
        assert await desk.admit(guest.token) is None, "not there yet"
        assert await desk.admit("a token of nobody") is None
        assert await desk.admit_user("ada") is None, "this visit did not come by /next"
        await guest.submit(agree=True)
        admission = await desk.admit(guest.token)
        assert admission.user == "ada"
        assert admission.spec_overrides == {
            "settings": {"game": "count-3"}, "condition": None, "agent": {}, "step": "game", "episodes_done": 0,
            "preview": False,
        }  # fmt: skip
        await guest.play()
        assert await desk.admit(guest.token) is None, "it is over"


async def test_a_condition_changes_the_trial_and_tells_the_agent(tmp_path):
    async with opened(tmp_path, settings_of(conditions=ARMS)) as desk:
        told = []
        for number in range(4):
            admission = await desk.admit((await at_game(Guest(desk, userId=str(number)))).token)
            told.append(admission.spec_overrides)
        assert sorted(each["condition"] for each in told) == ["a", "a", "b", "b"]
        of_a = next(each for each in told if each["condition"] == "a")
        assert (of_a["settings"], of_a["agent"]) == ({"game": "count-9"}, {"help": 1})


async def test_a_full_study_says_so_and_keeps_the_code(tmp_path):
    async with opened(tmp_path, settings_of(conditions={"only": {"quota": 1}})) as desk:
        await Guest(desk, PROLIFIC_PID="p1").arrive()
        late = await Guest(desk, PROLIFIC_PID="p2").arrive()
        assert late.view["end"]["outcome"] == "full" and read_code(KEY, late.view["end"]["code"]).outcome == "full"
        assert (await Guest(desk, PROLIFIC_PID="p2").arrive()).view["kind"] == "end", (
            "who was turned away may ask again"
        )


async def test_who_is_gone_for_long_makes_room(tmp_path):
    clock = Clock()
    async with opened(tmp_path, settings_of(conditions={"only": {"quota": 1}}), clock) as desk:
        await Guest(desk, userId="gone").arrive()
        clock.now_s += 29 * 60
        assert (await Guest(desk, userId="early").arrive()).view["kind"] == "end"
        clock.now_s += 2 * 60
        assert (await Guest(desk, userId="late").arrive()).view["kind"] == "page"


async def test_who_plays_a_long_game_is_not_gone(tmp_path):
    clock = Clock()
    async with opened(tmp_path, settings_of(conditions={"only": {"quota": 1}}), clock) as desk:
        guest = await at_game(Guest(desk, userId="here"))
        visit = (await desk.admit(guest.token)).visit_id
        await desk.began(visit, "t1")
        for _ in range(10):
            clock.now_s += 600
            await desk.progress(visit, {"trial": "t1", "episodes": 0, "ticks": 5})
        assert (await Guest(desk, userId="other").arrive()).view["kind"] == "end"


async def test_another_browser_takes_over_after_two_minutes_in_the_same_arm(tmp_path):
    clock, left = Clock(), []
    async with opened(tmp_path, settings_of(conditions=ARMS), clock) as desk:

        async def leave(visit: str) -> None:
            left.append(visit)

        desk.on_leaving = leave
        first = await Guest(desk, PROLIFIC_PID="p").arrive()
        second = Guest(desk, PROLIFIC_PID="p")
        clock.now_s += 119
        assert await refused(second.arrive()) == "elsewhere"
        clock.now_s += 2
        await second.arrive()
        assert (await first.look())["end"] == {
            "outcome": "superseded", "code": None, "redirect": None,
            "text": "This study was opened again in another browser or on another device, and goes on there.",
        }  # fmt: skip
        visits = await desk.keeper.read(lambda ledger: [held.visit for held in ledger.all()])
        assert visits[0]["condition"] == visits[1]["condition"]
        assert left == [visits[0]["id"]] and visits[0]["superseded_by"] == visits[1]["id"]
        overview = await desk.overview()
        assert sum(arm["live"] for arm in overview["conditions"]) == 1


async def test_pages_with_variants_are_shown_by_group(tmp_path):
    pages = {**PAGES, "survey-0.html": "<p>zero</p>", "survey-1.html": "<p>one</p>"}
    async with opened(tmp_path, settings_of(["survey.html"]), pages=pages) as desk:
        shown = [(await Guest(desk, userId=str(number)).arrive()).view["html"] for number in range(6)]
        assert sorted(shown) == ["<p>one</p>"] * 3 + ["<p>zero</p>"] * 3


async def test_where_a_redirect_leads(tmp_path):
    endings = {"complete": {"redirect": "https://x.example/?cc={code}&s={SESSION_ID}", "code": "C&1"}}
    async with opened(tmp_path, settings_of(["survey.html"], endings=endings)) as desk:
        guest = await Guest(desk, PROLIFIC_PID="p", SESSION_ID="a b/ü").arrive()
        await guest.submit()
        assert guest.view["end"]["redirect"] == "https://x.example/?cc=C%261&s=a%20b%2F%C3%BC"
        other = await Guest(desk, PROLIFIC_PID="q").arrive()
        await other.submit()
        assert (other.view["end"]["redirect"], other.view["end"]["code"]) == (None, "C&1"), "a name is missing"


# -- games -------------------------------------------------------------------------------------------------------


async def test_a_game_that_was_lost_goes_on_with_the_episodes_that_are_left(tmp_path):
    async with opened(tmp_path, settings_of()) as desk:
        guest = await at_game(Guest(desk))
        visit = await guest.play("disconnected", episodes=1)
        admission = await desk.admit(guest.token)
        assert (admission.visit_id, admission.spec_overrides["episodes_done"]) == (visit, 1)
        await guest.play("finished", trial="t2", episodes=2)
        assert (await guest.look())["name"] == "survey"


async def test_a_server_that_was_killed_lets_its_games_go_on(tmp_path):
    async with opened(tmp_path, settings_of()) as desk:
        guest = await at_game(Guest(desk))
        visit = (await desk.admit(guest.token)).visit_id
        await desk.began(visit, "t1")
        await desk.progress(visit, {"trial": "t1", "episodes": 2, "ticks": 6, "score": 1.0})
    async with opened(tmp_path, settings_of()) as desk:
        guest.desk = desk
        assert (await desk.admit(guest.token)).spec_overrides["episodes_done"] == 2
        await desk.over(visit, {"trial": "t1", "reason": "finished", "episodes": 3})
        assert (await guest.look())["kind"] == "game", "the trial of before has nothing to say any more"


async def test_a_study_that_is_changed_under_its_visits_takes_them_along(tmp_path):
    async with opened(tmp_path, settings_of()) as desk:
        asked, player = await Guest(desk).arrive(), await Guest(desk).arrive()
        await player.submit(agree=True)
        assert player.view["kind"] == "game"
    async with opened(tmp_path, settings_of(["consent.html", "survey.html"])) as desk:
        asked.desk = player.desk = desk
        await asked.look()
        assert asked.view["name"] == "consent", "the page they are at is still there"
        await player.look()
        assert player.view["name"] == "survey", "there is no game any more"
        await player.submit(age="33", like="yes")
        assert player.view["kind"] == "end"


async def test_what_a_full_disk_does_not_take_of_a_game_is_kept_before_what_follows(tmp_path, monkeypatch):
    async with opened(tmp_path, settings_of()) as desk:
        guest = await at_game(Guest(desk))
        visit = (await desk.admit(guest.token)).visit_id
        with monkeypatch.context() as full:
            full.setattr(desk.keeper, "write", no_room)
            await desk.began(visit, "t1")
            await desk.over(visit, {"trial": "t1", "reason": "finished", "episodes": 3})
            with pytest.raises(RecordError):
                await guest.look()
        assert (await guest.look())["name"] == "survey"


async def no_room(*_: object) -> None:
    raise RecordError("the disk is full; nothing was kept", disk_full=True)


async def test_with_a_full_disk_pages_are_shown_and_answers_refused(tmp_path, monkeypatch):
    async with opened(tmp_path, settings_of()) as desk:
        guest = await Guest(desk).arrive()
        with monkeypatch.context() as full:
            full.setattr(desk.keeper, "write", no_room)
            assert (await guest.look())["name"] == "consent"
            with pytest.raises(RecordError):
                await guest.submit(agree=True)
        await guest.submit(agree=True)
        assert guest.view["kind"] == "game"


async def test_what_is_told_of_a_game_of_nobody_is_no_trouble(tmp_path):
    async with opened(tmp_path, settings_of()) as desk:
        await desk.began("nobody", "t1")
        await desk.progress("nobody", {"episodes": 1})
        await desk.over("nobody", {"reason": "finished"})


async def test_withdrawing_ends_the_game_first_and_deletes_what_was_played(tmp_path):
    happened = []
    async with opened(tmp_path, settings_of()) as desk:

        async def leave(visit: str) -> None:
            happened.append("left")

        async def delete(user: str | None, trials: list[str]) -> None:
            happened.append((user, trials))

        desk.on_leaving, desk.on_deletion = leave, delete
        guest = await at_game(Guest(desk, userId="ada"))
        await guest.play("disconnected", episodes=1)
        await desk.withdraw(guest.token, delete=True)
        assert happened == ["left", ("ada", ["t1"])]
        [visit] = await desk.keeper.read(lambda ledger: [held.visit for held in ledger.all()])
        assert (visit["outcome"], visit["answers"], visit["games"]) == ("withdrew", {}, {})


# -- the overview ------------------------------------------------------------------------------------------------


async def test_the_overview_counts_everybody_but_previews(tmp_path):
    clock = Clock()
    async with opened(tmp_path, settings_of(conditions=ARMS), clock) as desk:
        await Guest(desk, userId="gone").arrive()
        clock.now_s += 3600
        await to_the_end(Guest(desk, userId="done"))
        await at_game(Guest(desk, userId="playing"))
        await to_the_end(Guest(desk, userId="r", preview=""))
        told = await desk.overview()
        assert told["visits"] == {"total": 3, "live": 1, "abandoned": 1, "preview": 1}
        assert told["outcomes"] == {"complete": 1}
        funnel = {step["name"]: (step["kind"], step["reached"], step["here"], step["left"]) for step in told["steps"]}
        assert funnel == {"consent": ("page", 3, 0, 1), "game": ("game", 2, 1, 0), "survey": ("page", 1, 0, 0),
                          "finalStep": ("end", 1, 0, 0)}  # fmt: skip
        [agree, age, like] = told["answers"]
        assert (agree["kind"], agree["counts"], agree["n"]) == ("choice", [["true", 2]], 2)
        assert (age["kind"], age["values"]) == ("number", [33.0])
        assert (like["label"], like["counts"]) == ("yes", [["yes", 1]])
        assert sum(arm["complete"] for arm in told["conditions"]) == 1
        assert {arm["name"]: arm["quota"] for arm in told["conditions"]} == {"a": None, "b": 2}
        assert json.dumps(told)


async def test_the_overview_is_made_anew_when_something_has_changed(tmp_path, monkeypatch):
    monkeypatch.setattr("hippogym.live.overview.PATIENCE", 0)
    async with opened(tmp_path, settings_of()) as desk:
        before = await desk.overview()
        assert await desk.overview() is before
        await Guest(desk).arrive()
        assert (await desk.overview())["visits"]["total"] == 1


# -- many at once ------------------------------------------------------------------------------------------------


async def test_two_hundred_who_come_at_once_are_even_and_their_log_replays(tmp_path):
    settings = settings_of(["survey.html"], conditions={"a": {}, "b": {}, "c": {}})
    async with opened(tmp_path, settings) as desk:
        guests = await asyncio.gather(*(Guest(desk, userId=str(number)).arrive() for number in range(200)))
        await asyncio.gather(*(guest.submit() for guest in guests[::2]))
        counts = {arm["name"]: arm["complete"] + arm["live"] for arm in (await desk.overview())["conditions"]}
        assert sorted(counts.values()) == [66, 67, 67]
    with sqlite3.connect(tmp_path / "study.sqlite") as database:
        entries = [json.loads(text) for (text,) in database.execute("SELECT entry FROM assignments ORDER BY n")]
    database.close()
    assert [entry["n"] for entry in entries] == list(range(len(entries)))
    assert sum(entry["event"] == "complete" for entry in entries) == 100


async def test_the_same_answer_from_ten_tabs_at_once_is_one_answer(tmp_path):
    async with opened(tmp_path, settings_of()) as desk:
        guest = await Guest(desk).arrive()
        stamp = guest.view["stamp"]
        told = await asyncio.gather(*(desk.answer(guest.token, stamp, {"agree": True}, {}) for _ in range(10)))
        assert sorted(each.repeated for each in told) == [False] + [True] * 9
        assert {each.view["kind"] for each in told} == {"game"}
        assert await desk.keeper.read(lambda ledger: len(list(ledger.answers()))) == 1


async def test_a_failed_commit_leaves_no_place_taken(tmp_path, monkeypatch):
    """What was remembered of the log is read again, so that nobody's place is lost."""
    async with opened(tmp_path, settings_of(conditions={"a": {}, "b": {}})) as desk:
        await Guest(desk, userId="0").arrive()
        ledger_class = type(await desk.keeper.read(lambda ledger: ledger))

        def failing(self, visit, digest, assignments=()):
            keep(self, visit, digest, assignments)
            raise sqlite3.OperationalError("disk I/O error")

        keep = ledger_class.create
        with monkeypatch.context() as broken:
            broken.setattr(ledger_class, "create", failing)
            for number in range(5):
                with pytest.raises(RecordError):
                    await Guest(desk, userId=f"x{number}").arrive()
        for number in range(1, 4):
            await Guest(desk, userId=str(number)).arrive()
        counts = {arm["name"]: arm["live"] for arm in (await desk.overview())["conditions"]}
        assert counts == {"a": 2, "b": 2}
