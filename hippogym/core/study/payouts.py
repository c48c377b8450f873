"""Who is to be paid: a line for every participant, and the recruiting site's own list filled in.

Nobody is rejected here. What is not plain is marked to be looked at, by a person.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hippogym.core.study.codes import plain_code, read_code, visit_signs
from hippogym.core.study.recruiting import study_of, submission_of
from hippogym.core.study.visit import Visit

PAID: Final = ("complete", "fault")
"""The outcomes that are paid unless the researcher says otherwise: to the end, and not to it by no fault of theirs."""

UNPAID: Final = ("withdrew", None)
"""Who left, and who has not come to an end: nothing is due unless somebody decides so."""

Pay = Literal["yes", "no", "look"]


@dataclass(frozen=True)
class Payout:
    """One participant. outcome: None while the visit lasts. score: of all games. minutes: from arrival to the end."""

    visit: str
    participant: str
    site: str | None
    submission: str | None
    study: str | None
    condition: str | None
    outcome: str | None
    pay: Pay
    bonus: float
    code: str | None
    began_s: float
    ended_s: float | None
    minutes: float | None
    score: float
    note: str


def payouts(
    visits: Iterable[Visit],
    site: str | None = None,
    paid: Collection[str] = PAID,
    per_point: float = 0.0,
    most_bonus: float | None = None,
) -> list[Payout]:
    """Everybody who took part, in the order of their coming: no previews, no visits that another has replaced.

    site: only who came from there. paid: the outcomes that are. per_point: bonus for each point of score, in whatever
    money; a bonus is never less than nothing or more than most_bonus. Who is paid already under the same name is not
    paid again.
    """
    lines: list[Payout] = []
    already: set[tuple[str | None, str]] = set()
    for visit in visits:
        if visit["preview"] or visit["superseded_by"] is not None or (site is not None and visit["site"] != site):
            continue
        line = _payout(visit, paid, per_point, most_bonus, already)
        if line.pay == "yes":
            already.add((line.site, line.participant))
        lines.append(line)
    return lines


@dataclass(frozen=True)
class Batch:
    """Mechanical Turk's list of results, filled in. look: what a person has to decide, one sentence for each row."""

    rows: list[dict[str, str]]
    approved: int
    look: list[str]


def fill_batch(rows: Sequence[Mapping[str, str]], lines: Sequence[Payout], key: bytes) -> Batch:
    """The rows with an x under Approve where the worker has typed the code of a visit of theirs that is paid.

    rows: with WorkerId, AssignmentId, AssignmentStatus and the columns ``Answer.…``. Rows that are decided are left
    alone. A code is good for one row.
    """
    by_signs = {visit_signs(key, line.visit): line for line in lines}
    by_worker = {line.participant: line for line in lines if line.pay == "yes"}
    used: set[str] = set()
    filled, look = [], []
    for row in rows:
        filled.append(dict(row))
        if row.get("Approve") or row.get("Reject") or row.get("AssignmentStatus", "Submitted") != "Submitted":
            continue
        line, problem = _of_row(row, by_signs, by_worker.get(row.get("WorkerId", "").strip()), key)
        if line is not None and not problem:
            problem = _why_not(row, line, used)
        if line is None or problem:
            look.append(f"{row.get('WorkerId', 'a worker')}: {problem}")
            continue
        used.add(line.visit)
        filled[-1]["Approve"] = "x"
    return Batch(filled, len(used), look)


def _payout(
    visit: Visit,
    paid: Collection[str],
    per_point: float,
    most: float | None,
    already: Collection[tuple[str | None, str]],
) -> Payout:
    outcome, ended_s, name = visit["outcome"], visit["ended_s"], visit["user"] or visit["id"]
    score = sum(game["score"] for game in visit["games"].values())
    pay: Pay = "yes" if outcome in paid else "no" if outcome in UNPAID else "look"
    note = "" if outcome is not None else "has not come to an end"
    if pay == "yes" and (visit["site"], name) in already:
        pay, note = "no", "is paid already, for an earlier visit"
    bonus = max(0.0, per_point * score)
    return Payout(
        visit=visit["id"],
        participant=name,
        site=visit["site"],
        submission=submission_of(visit["site"], visit["link"]),
        study=study_of(visit["site"], visit["link"]),
        condition=visit["condition"],
        outcome=outcome,
        pay=pay,
        bonus=round(min(bonus, most) if most is not None else bonus, 2) if pay == "yes" else 0.0,
        code=visit["code"],
        began_s=visit["created_s"],
        ended_s=ended_s,
        minutes=None if ended_s is None else round((ended_s - visit["created_s"]) / 60, 1),
        score=score,
        note=note,
    )


def _of_row(
    row: Mapping[str, str], by_signs: Mapping[str, Payout], theirs: Payout | None, key: bytes
) -> tuple[Payout | None, str]:
    """The line of the code that stands in a row, and what is wrong where there is none. theirs: the worker's line."""
    typed = [text for name, text in row.items() if name.startswith("Answer.") and text and text.strip()]
    for text in typed:
        for word in (text, *re.split(r"[\s,;:]+", text)):
            code = read_code(key, word)
            if code is not None:
                line = by_signs.get(code.visit)
                return line, "" if line is not None else "a real code, but of a visit that is not in the list"
    if theirs is not None and theirs.code is not None and plain_code(theirs.code) is None:
        fixed = theirs.code.strip().lower()  # a code of the study's own, the same for everybody
        if any(text.strip().lower() == fixed for text in typed):
            return theirs, ""
    return None, "the code is not one of this study's" if typed else "there is no code"


def _why_not(row: Mapping[str, str], line: Payout, used: Collection[str]) -> str:
    if line.visit in used:
        return "the same code stands in another row"
    if line.site == "mturk" and row.get("WorkerId", "").strip() != line.participant:
        return f"a real code, but it was given to {line.participant}"
    if line.pay != "yes":
        return f"a real code, and the outcome is {line.outcome or 'none yet'}{': ' + line.note if line.note else ''}"
    return ""
