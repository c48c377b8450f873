"""What a study's desk does with the ledger: each change of a visit as one piece of work for the ledger's thread.

Every method is called by that thread inside a transaction, is told the time, and returns the visit as it is then. It
may be called twice for the same change, where the first time came to nothing: ids and stamps are handed in.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hippogym.bookkeeping.arriving import Arrived, Newcomer, goes_on, is_news, kept
from hippogym.bookkeeping.presence import Presence
from hippogym.bookkeeping.seams import LedgerBook, PageText
from hippogym.core.study import rules
from hippogym.core.study.allocation import Allocation, Placement
from hippogym.core.study.factors import Factor, factors_of
from hippogym.core.study.forms import Problem
from hippogym.core.study.ledger import Held
from hippogym.core.study.recruiting import is_preview, recognise
from hippogym.core.study.refusal import done, elsewhere, too_large, unknown
from hippogym.core.study.tally import Count
from hippogym.core.study.visit import Game, Visit, is_over
from hippogym.core.study.way import Step, Way, variant
from hippogym.errors import RecordError

ELSEWHERE_S = 120.0
MOST_BYTES = 64 * 2**20  # of one visit's answers, files included
SEED = "assignment seed"
PREVIEW_CODE = "PREVIEW"

Event = dict[str, Any]


class Books:
    """The work of a study's desk.

    pages, variants: of the step files. settings: what ``Study.study_settings`` gives. sign: (outcome, visit id) → code.
    """

    def __init__(
        self,
        way: Way,
        settings: Mapping[str, Any],
        pages: Mapping[str, PageText],
        variants: Mapping[str, Sequence[str]],
        sign: Callable[[str, str], str],
    ) -> None:
        self.way = way
        self.presence = Presence()
        self.pages = pages
        self._settings, self._variants = settings, variants
        self._sign = sign
        self._allocation: Allocation | None = None

    def undone(self) -> None:
        """Work that was done has come to nothing: what is remembered of the log is read again."""
        self._allocation = None

    def open(self, ledger: LedgerBook, new_seed: int, now_s: float) -> int:
        """The server starts: trials that ran when it was killed are lost, and the study may be another one.

        Returns how many trials there were.
        """
        if ledger.meta(SEED) is None:
            ledger.set_meta(SEED, str(new_seed))
        lost = 0
        for held in list(ledger.all()):
            visit = held.visit
            running = [game for game in visit["games"].values() if game["state"] == "playing"]
            if not is_over(visit) and running:
                lost += 1
                visit = rules.game_over(self.way, visit, _lost(running[-1]), f"{held.version}-lost", now_s)
                self._save(ledger, held, visit, now_s, {"kind": "game_over", "reason": "server_lost"})
            self.presence.note(self.mend(ledger, visit["id"], f"{held.version}-mended", now_s))
        return lost

    def mend(self, ledger: LedgerBook, visit_id: str, stamp: str, now_s: float) -> Visit:
        """The visit, at a step that the study has: it may have been changed under it. Raises Refusal."""
        held = _known(ledger.load(visit_id))
        mended = rules.mend(self.way, held.visit, stamp, now_s)
        return self._save(ledger, held, mended, now_s, {"kind": "study_changed"})

    # -- arriving ------------------------------------------------------------------------------------------------

    def arrive(self, ledger: LedgerBook, who: Newcomer, now_s: float) -> Arrived:
        """The visit of somebody at the door. Raises Refusal."""
        came = recognise(who.link, self.way.recruiting)
        user = who.user if who.user is not None else came.user
        who = replace(who, preview=is_preview(who.link), link=kept(who.link))
        known = ledger.by_token(who.digest) if who.digest else self._of_v1(ledger, who)
        if known is not None and goes_on(known.visit, user, who):
            if is_news(ledger.events(known.visit["id"]), now_s):
                ledger.log_events(known.visit["id"], [{"t_s": now_s, "kind": "resumed", "client": dict(who.client)}])
            return Arrived(known.visit, resumed=True)
        earlier = self._earlier(ledger, user, now_s) if came.site and user and not who.preview else []
        with self._placing(ledger) as allocation:
            placement = self._place(allocation, who, earlier, now_s)
            visit = rules.begin(
                self.way, who.new_id, user or f"user_{who.new_id}", self.way.project, who.link, who.preview, who.door,
                placement.condition, placement.groups, who.stamp, now_s, came.site,
            )  # fmt: skip
            if placement.full is not None:
                visit = rules.end(self.way, visit, "full", now_s)
            visit = self._with_code(visit)
            ledger.create(visit, who.new_digest, placement.entries)
            ledger.log_events(visit["id"], [{"t_s": now_s, "kind": "arrived", "client": dict(who.client)}])
            allocation.add(placement.entries)
            for held in earlier:
                gone = rules.supersede(held.visit, visit["id"], now_s)
                self._save(ledger, held, gone, now_s, {"kind": "superseded"})
        return Arrived(visit, resumed=False, instead_of=earlier[0].visit["id"] if earlier else None)

    def _of_v1(self, ledger: LedgerBook, who: Newcomer) -> Held | None:
        """Visits of existing front ends are found by their user, those of our page never are."""
        if who.user is None:
            return None
        return next((held for held in ledger.by_user(who.user) if held.visit["door"] == "next"), None)

    def _earlier(self, ledger: LedgerBook, user: str, now_s: float) -> list[Held]:
        """The unfinished visits of a recruited participant, whose place the new one takes, newest first.

        In a bucket there may be several, after a failure between two writes. Raises Refusal.
        """
        found = []
        for held in ledger.by_user(user):
            visit = held.visit
            if visit["preview"] or visit["door"] != "page" or visit["site"] is None or visit["outcome"] == "full":
                continue
            if visit["superseded_by"] is None:
                found.append(held)
        if any(held.visit["outcome"] is not None for held in found):
            raise done()
        if any(now_s - self.presence.seen_s(held.visit) < ELSEWHERE_S for held in found):
            raise elsewhere()
        return found

    def _place(self, allocation: Allocation, who: Newcomer, earlier: Sequence[Held], now_s: float) -> Placement:
        if who.preview:
            return allocation.preview(who.new_id, now_s)
        absent = self.presence.absent(self.way.give_back_s, now_s)
        instead_of = earlier[0].visit["id"] if earlier else None
        return allocation.place(who.new_id, now_s, absent=absent, instead_of=instead_of)

    # -- going on ------------------------------------------------------------------------------------------------

    def find(self, ledger: LedgerBook, digest: str) -> Visit:
        """The visit of a token. Raises Refusal."""
        return _known(ledger.by_token(digest)).visit

    def find_v1(self, ledger: LedgerBook, user: str) -> Visit:
        """The visit that an existing front end's participant has. Raises Refusal."""
        found = (held for held in ledger.by_user(user) if held.visit["door"] == "next")
        return _known(next(found, None)).visit

    def shown(self, ledger: LedgerBook, visit_id: str, stamp: str | None, now_s: float) -> Visit:
        """The current step was sent for the first time."""
        held = _known(ledger.load(visit_id))
        if held.visit["stamp"] != stamp or held.visit["shown_s"] is not None:
            return held.visit
        return self._save(ledger, held, rules.shown(self.way, held.visit, now_s), now_s)

    def answer(
        self,
        ledger: LedgerBook,
        visit_id: str,
        stamp: str | None,
        answers: Mapping[str, Any],
        facts: Mapping[str, Any],
        size: int,
        next_stamp: str,
        now_s: float,
        v1: bool = False,
    ) -> tuple[Visit, bool, tuple[Problem, ...]]:
        """Submit was pressed: (visit, whether that was a repetition, what is missing). size: of the body, in bytes."""
        held = _known(ledger.load(visit_id))
        visit, page = held.visit, self.page_of(held.visit)
        form = page.form if page is not None else None
        if v1 and form is not None:
            answers = form.from_v1(answers)
        facts = {**facts, "sha256": page.sha256 if page is not None else None}
        answered = rules.answer(self.way, visit, stamp, answers, form, facts, next_stamp, now_s)
        if answered.stored is None:
            return visit, answered.repeated, answered.problems
        if size + ledger.answers_bytes(visit_id) > MOST_BYTES:
            raise too_large(MOST_BYTES)
        return self._save(ledger, held, answered.visit, now_s, answer=answered.stored), False, ()

    def withdraw(self, ledger: LedgerBook, visit_id: str, now_s: float, *, delete: bool) -> Visit:
        """The participant leaves. delete: with everything they have said so far."""
        held = _known(ledger.load(visit_id))
        visit = rules.withdraw(self.way, held.visit, now_s)
        if delete and held.visit["superseded_by"] is None:
            visit = {**visit, "answers": {}, "games": {}, "tries": {}, "attention_failed": 0}
            ledger.forget_answers(visit_id)
        if visit is held.visit:
            return visit
        return self._save(ledger, held, visit, now_s, {"kind": "withdrew", "delete": delete})

    def page_of(self, visit: Visit) -> PageText | None:
        """The page at which a visit is; None where that is one of our own making."""
        name = rules.view(self.way, visit).page
        return self.pages.get(name) if name is not None else None

    def files_of(self, step: Step) -> list[str]:
        """The files that a step's page is, variants included."""
        if step.page is None:
            return []
        names = [variant(step.page, arm) for arm in self._variants.get(step.stem, ())] or [step.page]
        return [name for name in names if name in self.pages]

    def counts(self, ledger: LedgerBook) -> tuple[dict[str, dict[str, Count]], tuple[Factor, ...]]:
        """Factor → arm → count, and the factors."""
        with self._placing(ledger) as allocation:
            return allocation.counts(), allocation.factors

    def trials_of(self, ledger: LedgerBook, visit_id: str) -> list[str]:
        """All trials of a visit."""
        return [event["trial"] for event in ledger.events(visit_id) if event["kind"] == "game_began"]

    # -- games ---------------------------------------------------------------------------------------------------

    def began(self, ledger: LedgerBook, visit_id: str, trial: str, now_s: float) -> Visit:
        held = _known(ledger.load(visit_id))
        visit = rules.game_began(self.way, held.visit, trial, now_s)
        return self._save(ledger, held, visit, now_s, {"kind": "game_began", "trial": trial})

    def progress(self, ledger: LedgerBook, visit_id: str, progress: Mapping[str, Any], now_s: float) -> Visit:
        held = _known(ledger.load(visit_id))
        return self._save(ledger, held, rules.game_progress(self.way, held.visit, progress, now_s), now_s)

    def over(
        self, ledger: LedgerBook, visit_id: str, result: Mapping[str, Any], next_stamp: str, now_s: float
    ) -> Visit:
        held = _known(ledger.load(visit_id))
        visit = rules.game_over(self.way, held.visit, result, next_stamp, now_s)
        told = {key: result.get(key) for key in ("reason", "episodes", "ticks", "trial")}
        return self._save(ledger, held, visit, now_s, {"kind": "game_over", **told})

    # -- keeping -------------------------------------------------------------------------------------------------

    def _save(
        self,
        ledger: LedgerBook,
        held: Held,
        visit: Visit,
        now_s: float,
        event: Event | None = None,
        *,
        answer: Mapping[str, Any] | None = None,
    ) -> Visit:
        """Keep what has become of a visit; where nothing has, nothing is written."""
        if visit is held.visit:
            return visit
        visit = self._with_code(visit)
        events = [{"t_s": now_s, **event}] if event is not None else []
        ended = visit["outcome"] is not None and held.visit["outcome"] is None
        if ended:
            events.append({"t_s": now_s, "kind": "ended", "outcome": visit["outcome"]})
        with self._placing(ledger) as allocation:
            completed = ended and visit["outcome"] == "complete" and not visit["preview"]
            entries = allocation.settle(visit["id"], "complete", now_s) if completed else ()
            if not ledger.save(visit, held.version, answer, entries, events):
                raise RecordError("the visit was changed by another process; nothing was kept")
            allocation.add(entries)
        return visit

    def _with_code(self, visit: Visit) -> Visit:
        """A visit that has just ended gets its code, in the same breath as its end is kept."""
        if visit["outcome"] is None or visit["code"] is not None:
            return visit
        if visit["preview"]:
            return {**visit, "code": PREVIEW_CODE}  # a link that anybody can change earns nobody a real one
        code = self.way.ending(visit["outcome"]).code
        if code == "none":
            return visit
        return {**visit, "code": self._sign(visit["outcome"], visit["id"]) if code == "signed" else code}

    @contextmanager
    def _placing(self, ledger: LedgerBook) -> Iterator[Allocation]:
        """Everybody's places. After a failure they are read from the log again."""
        if self._allocation is None:
            seed = int(ledger.meta(SEED) or 0)
            self._allocation = Allocation(factors_of(self._settings, self._variants, seed), ledger.assignments())
        try:
            yield self._allocation
        except BaseException:
            self._allocation = None
            raise


def _lost(game: Game) -> dict[str, Any]:
    """The result of a trial that the server has not outlived: as far as it was told."""
    before = game["before"]
    counts = {"episodes": game["episodes"], "ticks": game["ticks"], "score": game["score"]}
    return {"reason": "server_lost"} | {name: count - before[name] for name, count in counts.items()}


def _known(held: Held | None) -> Held:
    if held is None:
        raise unknown()
    return held
