"""Small studies for the tests of the rules: a way from a few steps, and somebody who goes it."""

from hippogym.core.study import rules
from hippogym.core.study.forms import read_form
from hippogym.core.study.way import build_way

QUESTION = (
    "<fieldset><legend>Which?</legend>"
    '<label><input type="radio" name="q" value="a" data-right>A</label>'
    '<label><input type="radio" name="q" value="b" data-hint="Read again.">B</label></fieldset>'
)
AGE = '<label>Age <input name="age" type="number" min="1" required></label>'


def settings(*steps, **others):
    """Plain settings as a study gives them; each step is a page's name or a map."""
    listed = [{"page": step} if isinstance(step, str) else step for step in steps]
    return {
        "id": "s",
        "name": "A study",
        "steps": [{"number": n, "name": _name(n, step)} | step for n, step in enumerate(listed, start=1)],
        "final": {"page": "thanks.html"},
        "maxEpisodes": 3,
    } | others


def _name(number, step):
    return step.get("page", f"end-{number}").removesuffix(".html")


def way_of(*steps, **others):
    return build_way(settings(*steps, **others))


class Person:
    """Goes through a way; the clock moves by a second with everything that is done."""

    def __init__(self, way, forms=None, condition=None, groups=None, **about):
        self.way, self.forms, self.now = way, forms or {}, 1_000.0
        self._stamps = 0
        about = {"link": {}, "preview": False, "door": "page"} | about
        self.visit = rules.begin(
            way, "v1", "somebody", "s", condition=condition, groups=groups or {}, stamp=self._stamp(), now_s=self.now,
            **about,
        )  # fmt: skip

    def _stamp(self):
        self._stamps += 1
        return f"stamp-{self._stamps}"

    @property
    def view(self):
        return rules.view(self.way, self.visit)

    @property
    def step(self):
        return self.visit["step"]

    def answer(self, stamp=None, form=None, facts=None, **answers):
        """Submit what is given, under the current stamp unless another is named."""
        self.now += 1
        form = form or self.forms.get(self.step) or read_form("")
        stamp = stamp or self.visit["stamp"]
        result = rules.answer(self.way, self.visit, stamp, answers, form, facts or {}, self._stamp(), self.now)
        self.visit = result.visit
        return result

    def begin_game(self, trial="t1"):
        self.now += 1
        self.visit = rules.game_began(self.way, self.visit, trial, self.now)

    def end_game(self, reason="finished", **result):
        self.now += 1
        told = {"reason": reason, "episodes": 0, "ticks": 0, "score": 0.0} | result
        self.visit = rules.game_over(self.way, self.visit, told, self._stamp(), self.now)

    def play(self, reason="finished", **result):
        self.begin_game(f"t{self._stamps}")
        self.end_game(reason, **result)
