"""One participant of a rehearsal: from the invitation to the code, by what their page would say."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hippogym.core.study.forms import Control, Form, read_form
from hippogym.rehearse.answering import answers_to, without_required, wrong_answers
from hippogym.rehearse.door import Door, OnlyGame, Refused, door
from hippogym.rehearse.plan import Person, reached
from hippogym.rehearse.player import Player
from hippogym.rehearse.shaper import shaped
from hippogym.rehearse.stage import Stage
from hippogym.rehearse.story import DONE, FAILED, HERE, LEFT, Entered, Story, Trouble

MOST_SHOWINGS = 200  # a way that does not end is a trouble of the study
NEXT_STEP_WITHIN_S = 20.0  # after a game
MOST_TRIES = 12


class Leaves(Exception):
    """The participant closes the tab, as planned."""


class Bot:
    """Goes through the study once. story: what they saw, growing; player: who plays for them, and is measured."""

    def __init__(self, stage: Stage, person: Person) -> None:
        self.stage = stage
        self.person = person
        self.story = Story(person)
        self.player: Player | None = None
        self._chance = random.Random(person.seed)
        self._door: Door
        self._line: Path | None = None
        self._reloaded = self._doubled = self._hurried = self._erred = False
        self._tried: dict[str, dict[str, list[Any]]] = {}
        self.http_s: list[float] = []

    async def take_part(self) -> None:
        """The whole way. Whatever goes wrong is in the story, and nothing is raised."""
        story = self.story
        story.state, story.began_s = HERE, time.time()
        began_s = time.monotonic()
        try:
            async with AsyncExitStack() as stack:
                await self._connect(stack)
                await self._go()
                story.state = DONE
        except* Leaves:
            story.state = LEFT
        except* Trouble as troubles:
            story.state = FAILED
            for trouble in _each(troubles):
                story.note(str(trouble))
        except* (KeyError, TypeError, ValueError, AttributeError) as surprises:
            story.state = FAILED
            for surprise in _each(surprises):
                story.note(f"the server has said something that docs/protocol.md does not: {surprise!r:.200}")
        finally:
            story.in_line = False
            story.took_s = time.monotonic() - began_s

    async def _connect(self, stack: AsyncExitStack) -> None:
        stage, number = self.stage, self.person.number
        if stage.network is not None:
            path = stage.lines / f"{number}"
            self._line = await stack.enter_async_context(
                shaped(stage.network, stage.host, stage.port, path, self.person.seed)
            )
        link = {**stage.link, "userId": self.person.name}
        self._door = await stack.enter_async_context(door(stage.url, stage.tls, link, self._line))
        self.http_s = self._door.took_s

    async def _go(self) -> None:
        status = await self._door.page("/")
        if status != 200:
            raise Trouble(f"the study's page was answered with {status}")
        try:
            view = (await self._door.arrive())["view"]
        except OnlyGame:
            await self._only_play()
            return
        for _ in range(MOST_SHOWINGS):
            if view["kind"] == "end":
                self._end(view)
                return
            began_s = time.monotonic()
            self.story.step = view["name"]
            view = await self._meet(view)
            if not self.story.steps or self.story.steps[-1][0] != self.story.step:
                self.story.steps.append((self.story.step, 0.0))
            name, took_s = self.story.steps[-1]
            self.story.steps[-1] = (name, took_s + time.monotonic() - began_s)
        raise Trouble(f"the study has shown {MOST_SHOWINGS} steps and does not end")

    async def _only_play(self) -> None:
        """A study without steps: there is a game, and when it is over, that was it."""
        began_s = time.monotonic()
        self.story.step = "game"
        await self._play_game("game", 1, 1)
        self.story.steps.append(("game", time.monotonic() - began_s))
        self.story.step = ""

    async def _meet(self, view: dict[str, Any]) -> dict[str, Any]:
        """One showing; returns the next. What befalls this person in a game, befalls them there."""
        person, step, of = self.person, view["step"], view["of"]
        if view["kind"] == "game":
            return await self._play(view)
        if not self._reloaded and reached(person.reloads_at, step, of):
            self._reloaded = True
            view = await self._reload(view)
        await self._think()
        if reached(person.leaves_at, step, of):
            raise Leaves
        return await self._answer(view)

    def _end(self, view: dict[str, Any]) -> None:
        end = view["end"]
        story = self.story
        story.step = ""
        story.outcome, story.code, story.redirect = end["outcome"], end.get("code"), end.get("redirect")

    # -- a page --------------------------------------------------------------------------------------------------

    async def _think(self) -> None:
        await asyncio.sleep(self.stage.think_s * self._chance.uniform(0.5, 1.5))

    async def _reload(self, view: dict[str, Any]) -> dict[str, Any]:
        """Load the page again. It must be the same one, and nothing may have advanced."""
        self.story.reloads += 1
        await self._door.page("/")
        told = await self._door.arrive()
        again: dict[str, Any] = told["view"]
        if not told["resumed"]:
            raise Trouble("after a reload the study began from its beginning")
        if (again["name"], again["stamp"]) != (view["name"], view["stamp"]):
            raise Trouble(f"after a reload another step was shown: {again['name']} for {view['name']}")
        return again

    async def _answer(self, view: dict[str, Any]) -> dict[str, Any]:
        form = read_form(view["html"] or "")
        right = self._right_for(view["name"], form)
        tried = self._tried.setdefault(view["name"], {})
        wrong = [problem["name"] for problem in view["problems"]]
        answers = answers_to(form, self._chance, right, {name: tried.get(name, []) for name in wrong})
        if self.person.careless and not self._hurried and (less := without_required(form, answers)):
            self._hurried = True
            await self._must_be_refused(view, *less)
        if self.person.careless and not self._erred and view["triesLeft"] != 1:
            erring = wrong_answers(answers, right)
            if erring is not None and not form.check(erring):
                self._erred, answers = True, erring
        for name, value in answers.items():
            tried.setdefault(name, []).append(value)
        if any(len(values) > MOST_TRIES for values in tried.values()):
            raise Trouble(f"after {MOST_TRIES} tries the answers are still not right")
        return await self._submit(view, answers)

    def _right_for(self, step: str, form: Form) -> dict[str, Control]:
        """The controls as the researcher wrote them, of the variant that has the same ones."""
        names = [control.name for control in form.controls]
        for known in self.stage.pages.get(step, ()):
            if [control.name for control in known.controls] == names:
                return {control.name: control for control in known.controls}
        return {}

    async def _must_be_refused(self, view: dict[str, Any], missing: str, answers: dict[str, Any]) -> None:
        """Submit without what is required: nothing may be stored, and the participant must be told where."""
        try:
            await self._door.answer(view["stamp"], answers, 1000)
        except Refused as refused:
            if refused.status != 422:
                raise
            self.story.refusals += 1
            if missing not in [problem["name"] for problem in refused.problems]:
                self.story.note(f"{missing} was left out, and the refusal does not name it")
            return
        raise Trouble(f"{missing} is required, and an answer without it was taken")

    async def _submit(self, view: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
        """Submit once; or in two tabs at once, where only one of the two may count."""
        shown_ms = 1000 * self.stage.think_s
        if self._doubled or not reached(self.person.second_tab_at, view["step"], view["of"]):
            told = await self._door.answer(view["stamp"], answers, shown_ms)
            if told["repeated"]:
                raise Trouble("the first answer to a page was taken for a repetition")
            return self._keep(view, answers, told["view"])
        self._doubled = True
        self.story.second_tabs += 1
        other = (await self._door.arrive())["view"]
        if other["stamp"] != view["stamp"]:
            raise Trouble("a second tab was shown another page than the first")
        twice = await asyncio.gather(*(self._door.answer(view["stamp"], answers, shown_ms) for _ in range(2)))
        if sorted(bool(told["repeated"]) for told in twice) != [False, True]:
            raise Trouble("of two answers from two tabs not exactly one was taken")
        if twice[0]["view"]["stamp"] != twice[1]["view"]["stamp"]:
            raise Trouble("two tabs have come to different steps")
        return self._keep(view, answers, twice[0]["view"])

    def _keep(self, view: dict[str, Any], answers: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
        """It is acknowledged: from now on it must be there."""
        self.story.entered.append(Entered(view["name"], view["stamp"], answers))
        if then["kind"] != "end" and then["stamp"] is not None and then["stamp"] == view["stamp"]:
            raise Trouble("an answer was taken, and the same page is still waiting for it")
        self.story.wrong_tries += then["name"] == view["name"] and bool(then["problems"])
        return then

    # -- a game --------------------------------------------------------------------------------------------------

    async def _play(self, view: dict[str, Any]) -> dict[str, Any]:
        await self._play_game(view["name"], view["step"], view["of"])
        return await self._after_game(view)

    async def _play_game(self, name: str, step: int, of: int) -> None:
        """A whole game, with whatever befalls this person there."""
        person, stage = self.person, self.stage
        reloads = not self._reloaded and reached(person.reloads_at, step, of)
        doubles = not self._doubled and reached(person.second_tab_at, step, of)
        leaves = reached(person.leaves_at, step, of)
        self._reloaded |= reloads
        self._doubled |= doubles
        self.player = Player(
            stage, self._line, person.name, self._door.token, self.story, self._chance, self._is_still_at
        )
        limit_s = self._chance.uniform(0, stage.play_s or 10.0) if leaves else stage.play_s
        await self.player.play(name, limit_s, reloads=reloads, doubles=doubles, leaves=leaves)
        if leaves:
            raise Leaves

    async def _is_still_at(self, step: str) -> bool:
        """What a page asks when it is loaded again. Without steps there is nobody to ask, and nowhere else to be."""
        if self._door.token is None:
            return True
        now = await self._door.now()
        return bool(now["kind"] == "game" and now["name"] == step)

    async def _after_game(self, view: dict[str, Any]) -> dict[str, Any]:
        """The next step. A game that has failed may be shown once more, and is played once more."""
        began_s = time.monotonic()
        while True:
            now = await self._door.now()
            played = self.story.games[-1]
            if now["name"] != view["name"] or now["kind"] != "game":
                return now
            if played.reason not in ("finished", "stopped") and time.monotonic() - began_s > 1:
                self.story.note(f"the game ended: {played.reason}")
                return now
            if time.monotonic() - began_s > NEXT_STEP_WITHIN_S:
                raise Trouble(f"the game is over, and {NEXT_STEP_WITHIN_S:.0f} s later still the step that is shown")
            await asyncio.sleep(0.2)


def _each(problems: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    """The exceptions of a group, and of the groups in it."""
    for problem in problems.exceptions:
        if isinstance(problem, BaseExceptionGroup):
            yield from _each(problem)
        else:
            yield problem
