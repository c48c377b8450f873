"""Two participants on one server: interrupted together, moved together, and each goes on with their own game."""

import time
from pathlib import Path

from tests.deploy.rehearsal.engines import Engine
from tests.deploy.rehearsal.mishaps import is_tidy
from tests.deploy.rehearsal.person import WIDE, Person, person
from tests.deploy.rehearsal.stage import stage
from tests.deploy.rehearsal.story import CUT, MOVED, READY, Told, episodes_of
from tests.deploy.rehearsal.study import TICKS, Scale
from tests.patience import PATIENCE_S


def two_share(work: Path, engine: Engine, told: Told, scale: Scale) -> None:
    """From the link to the code, for both. Raises AssertionError."""
    with stage(work, engine, scale, told) as there:
        with person(there.net.url, there.authority.spki) as one:
            other = Person(one.page.context.browser.new_context(viewport=WIDE).new_page(), None)  # type: ignore[union-attr, arg-type]
            both = {"5f0one": one, "5f0other": other}
            for user, somebody in both.items():
                somebody.open(f"{there.link}&PROLIFIC_PID={user}")
                somebody.agree()
            for somebody in both.values():
                somebody.wait_for_card(READY)
            [first] = there.tasks.all
            assert len(there.names()) == 1
            for somebody in both.values():
                somebody.start()
            for somebody in both.values():
                somebody.wait_for_episode(CUT, TICKS // 4)
            there.tasks.interrupt(first)
            for somebody in both.values():
                somebody.wait_for_card(MOVED)
            told("both are told")
            go_on(list(both.values()))
            told("both go on")
            for somebody in both.values():
                somebody.expect_heading("How was it?")
                somebody.fill_survey("as before")
            assert len({somebody.code() for somebody in both.values()}) == 2
            assert one.complaints == other.complaints == []
        there.wait_for("the last one's end stops the server", lambda: is_tidy(there), PATIENCE_S)
        assert [task.code for task in there.tasks.all] == [0, 0], there.troubles()
        whole = sorted(
            (about["header"]["participant"]["userId"], about["episode"])
            for about in episodes_of(there)
            if about["reason"] == "done"
        )
        assert whole == [(user, number) for user in sorted(both) for number in range(scale.episodes)]
        assert there.functions.problems == [] and there.events.given_up == [] and there.tasks.problems == []


def go_on(waiting: list[Person]) -> None:
    """Each presses Start as soon as their game is back."""
    deadline = time.monotonic() + PATIENCE_S
    while waiting:
        assert time.monotonic() < deadline, [somebody.card() for somebody in waiting]
        for somebody in [one for one in waiting if one.has_to_start()]:
            somebody.start()
            waiting.remove(somebody)
        if waiting:
            waiting[0].page.wait_for_timeout(100)
