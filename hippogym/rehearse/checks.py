"""Is what a rehearsal has left what its participants did? Each check is green, red, or grey: it could not be made."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hippogym.core.study.codes import read_code, visit_signs
from hippogym.rehearse.arms import uneven
from hippogym.rehearse.evidence import Evidence
from hippogym.rehearse.story import DONE, FAILED, LEFT, Played, Story

GREEN, RED, GREY = "green", "red", "grey"
MOST_TOLD = 20


@dataclass(frozen=True)
class Check:
    """What was asked, what came of it, and what is wrong in detail."""

    name: str
    state: str
    told: str
    details: list[str] = field(default_factory=list)


Kinds = Mapping[str, str]
"""From an outcome to its ending's code: ``signed`` (also where nothing is said), ``none``, or the study's own text."""


def way_checks(stories: Sequence[Story], kinds: Kinds = MappingProxyType({})) -> list[Check]:
    """What the participants themselves have seen."""
    troubles = [f"{s.person.name} at {step or 'the door'}: {told}" for s in stories for step, told in s.troubles]
    states = Counter(story.state for story in stories)
    told = f"{states[DONE]} came to an end of the study, {states[LEFT]} left as planned, {states[FAILED]} failed"
    missing = [
        f"{s.person.name} came to the end ({s.outcome}) without a code" for s in stories if _lacks_code(s, kinds)
    ]
    return [
        _check(
            "everybody went their way", not troubles and states[DONE] + states[LEFT] == len(stories), told, troubles
        ),
        _check("who came to the end got a code", not missing, f"{sum(bool(s.code) for s in stories)} codes", missing),
    ]


def data_checks(stories: Sequence[Story], found: Evidence, kinds: Kinds = MappingProxyType({})) -> list[Check]:
    """What is in the data folder, held against what the participants saw."""
    checks = [_records_check(found), _seen_check(stories, found)]
    if not found.has_ledger:
        return [*checks, Check("answers and arms", GREY, "a study without steps keeps none")]
    return [*checks, _visits_check(stories, found), _answers_check(stories, found), _way_check(stories, found),
            _codes_check(stories, found, kinds), _arms_check(found)]  # fmt: skip


def server_check(code: int | None, errors: Sequence[str]) -> Check:
    """code: with which the server has stopped; errors: lines of its log."""
    told = "it stopped in order" if code == 0 else f"it stopped with {code}" if code is not None else "it was killed"
    return _check("the server's log", code == 0 and not errors, f"{told}; {len(errors)} errors in its log", errors)


def _records_check(found: Evidence) -> Check:
    bad = [f"{v.name}: {problem}" for v in found.verdicts for problem in v.problems]
    bad += [f"{v.name} has no checksums" for v in found.verdicts if not v.verified and v.good]
    ticks = sum(verdict.ticks for verdict in found.verdicts)
    return _check("records are as they were written", not bad, f"{len(found.verdicts)} records, {ticks} ticks", bad)


def _seen_check(stories: Sequence[Story], found: Evidence) -> Check:
    """Whatever a participant has seen is on the disk: in one trial of theirs, each episode as far as they saw it."""
    wrong = []
    games = 0
    for story in stories:
        for game in story.games:
            if game.ticks:
                games += 1
                if not _is_kept(game, found, story.person.name):
                    wrong.append(f"{story.person.name}: what was seen in {game.step} is in none of their records")
    return _check("what was seen is recorded", not wrong, f"{games} games, each in its records", wrong)


def _is_kept(game: Played, found: Evidence, user: str) -> bool:
    lines = found.episodes.get(user, [])
    trials = {line.trial for line in lines}
    kept = ({(line.episode, line.ticks) for line in lines if line.trial == trial} for trial in trials)
    return any(
        all(
            any(number == episode and ticks >= tick for number, ticks in episodes)
            for episode, tick in game.ticks.items()
        )
        for episodes in kept
    )


def _visits_check(stories: Sequence[Story], found: Evidence) -> Check:
    names = {story.person.name for story in stories}
    wrong = [f"{visit['user']} is nobody of this rehearsal" for visit in found.visits if visit["user"] not in names]
    for story in stories:
        visits = found.visits_of(story.person.name)
        if len(visits) != 1:
            wrong.append(f"{story.person.name} has {len(visits)} visits")
        elif story.state == DONE and visits[0]["outcome"] != story.outcome:
            wrong.append(f"{story.person.name} saw the end {story.outcome}; kept is {visits[0]['outcome']}")
        elif story.state == LEFT and visits[0]["outcome"] is not None:
            wrong.append(f"{story.person.name} has left, and kept is the end {visits[0]['outcome']}")
    return _check("one visit for everybody", not wrong, f"{len(found.visits)} visits of {len(stories)}", wrong)


def _answers_check(stories: Sequence[Story], found: Evidence) -> Check:
    """Every answer that was acknowledged is kept, exactly, once; and nothing else is."""
    users = {visit["id"]: visit["user"] for visit in found.visits}
    kept: dict[tuple[Any, Any], list[Any]] = {}
    for row in found.answers:
        kept.setdefault((users.get(row["visit"]), row["stamp"]), []).append(row)
    wrong = []
    values = 0
    for story in stories:
        for entered in story.entered:
            rows = kept.pop((story.person.name, entered.stamp), [])
            values += len(entered.answers)
            if len(rows) != 1:
                wrong.append(f"{story.person.name}, {entered.step}: kept {len(rows)} times")
            elif rows[0]["answers"] != entered.answers:
                names = [n for n, value in entered.answers.items() if rows[0]["answers"].get(n, ...) != value]
                wrong.append(
                    f"{story.person.name}, {entered.step}: differs in {', '.join(names) or 'what was not asked'}"
                )
    wrong += [f"{user}: an answer is kept that they never got acknowledged" for user, _ in kept]
    told = f"{sum(len(s.entered) for s in stories)} pages, {values} answers"
    return _check("answers are what was entered", not wrong, told, wrong)


def _way_check(stories: Sequence[Story], found: Evidence) -> Check:
    """Nobody has skipped or repeated a step: the steps that were kept are those that were seen, in their order."""
    wrong = []
    for story in stories:
        for visit in found.visits_of(story.person.name)[:1]:
            seen = [name for name, _ in story.steps] + ([story.step] if story.state == LEFT else [])
            kept = visit["trail"]
            if story.state == LEFT and story.games and story.games[-1].step == story.step == _before_last(kept):
                kept = kept[:-1]  # the game came to its end in the moment in which they left
            if story.state in (DONE, LEFT) and _once(kept) != _once(seen):
                wrong.append(f"{story.person.name} saw {', '.join(seen)}; kept is {', '.join(visit['trail'])}")
    return _check("no step skipped or repeated", not wrong, f"{len(found.visits)} ways", wrong)


def _before_last(names: Sequence[str]) -> str | None:
    return names[-2] if len(names) > 1 else None


def _once(names: Iterable[str]) -> list[str]:
    """Without repetitions next to each other: a page that is shown again after a wrong try."""
    kept: list[str] = []
    for name in names:
        if not kept or kept[-1] != name:
            kept.append(name)
    return kept


def _codes_check(stories: Sequence[Story], found: Evidence, kinds: Kinds) -> Check:
    """A code is signed for its visit and outcome, or it is the text that the study gives to everybody."""
    given = [story for story in stories if story.code is not None]
    if found.key is None:
        return Check("codes verify", RED if given else GREY, "there is no key to verify them with")
    wrong = []
    fixed = 0
    for story in given:
        kind = kinds.get(story.outcome or "", "signed")
        fixed += kind != "signed"
        for visit in found.visits_of(story.person.name)[:1]:
            code = read_code(found.key, story.code or "")
            real = code is not None and (code.outcome, code.visit) == (
                story.outcome,
                visit_signs(found.key, visit["id"]),
            )
            if visit["code"] != story.code or not (real if kind == "signed" else story.code == kind):
                wrong.append(f"{story.person.name}: the code is not that of {story.outcome}")
    told = f"{len(given) - fixed} signed codes" + (f", {fixed} of the study's own" if fixed else "")
    return _check("codes verify", not wrong, told, wrong)


def _arms_check(found: Evidence) -> Check:
    told, wrong = uneven(found.log)
    if not told:
        return Check("arms are balanced", GREY, "the study has no conditions and no groups")
    return _check("arms are balanced", not wrong, "; ".join(told), wrong)


def _lacks_code(story: Story, kinds: Kinds) -> bool:
    return story.outcome is not None and not story.code and kinds.get(story.outcome, "signed") != "none"


def _check(name: str, fine: bool, told: str, details: Sequence[str]) -> Check:
    return Check(name, GREEN if fine else RED, told, list(details))
