"""Who is to be paid; and codes at the terminal, as researchers check them."""

import csv
import io
import json

import pytest

from hippogym.cli import main
from hippogym.core.study.codes import make_code
from hippogym.core.study.payouts import fill_batch, payouts
from hippogym.data.export.ledger import known_exports
from tests.study.people_of_a_study import BEGAN_S, keep_visits, made_visit

KEY = bytes(range(32))


def prolific(pid, session="s1"):
    return {"PROLIFIC_PID": pid, "STUDY_ID": "st", "SESSION_ID": session}


def worker(name, assignment="as"):
    return {"workerId": name, "assignmentId": assignment, "hitId": "h"}


def paid(*visits, **about):
    return {line.visit: line.pay for line in payouts(visits, **about)}


def test_who_completed_or_met_a_fault_is_paid_and_nobody_is_refused_by_a_program():
    outcomes = ["complete", "fault", "screenedOut", "failedCheck", "full", "withdrew", None]
    visits = [made_visit(f"v{n}", prolific(f"p{n}"), outcome) for n, outcome in enumerate(outcomes)]
    assert list(paid(*visits).values()) == ["yes", "yes", "look", "look", "look", "no", "no"]
    assert paid(*visits, paid=("complete", "screenedOut"))["v2"] == "yes"
    assert paid(*visits, paid=("complete", "screenedOut"))["v1"] == "look"


def test_previews_and_visits_that_were_replaced_are_left_out():
    visits = [
        made_visit("look", prolific("p0"), "complete", preview=True),
        made_visit("old", prolific("p1"), superseded_by="new"),
        made_visit("new", prolific("p1"), "complete"),
    ]
    assert paid(*visits) == {"new": "yes"}


def test_nobody_is_paid_twice():
    visits = [made_visit(f"v{n}", prolific("p"), "complete") for n in range(3)]
    assert list(paid(*visits).values()) == ["yes", "no", "no"]
    lines = payouts([made_visit("a", prolific("p"), "complete"), made_visit("b", {"userId": "p"}, "complete")])
    assert [line.pay for line in lines] == ["yes", "yes"], "the same label of another site is another person"


def test_the_line_says_how_they_came_and_how_long_they_took():
    (line,) = payouts([made_visit("v", prolific("60f1", "sub"), "complete", minutes=12.34, key=KEY)])
    assert (line.participant, line.site, line.submission, line.study) == ("60f1", "prolific", "sub", "st")
    assert (line.minutes, line.ended_s, line.code) == (12.3, BEGAN_S + 740.4, make_code(KEY, "complete", "v"))


def test_a_bonus_follows_the_score_between_nothing_and_the_most():
    visits = [made_visit(f"v{n}", prolific(f"p{n}"), "complete", score=s) for n, s in enumerate([-50.0, 12.5, 9_000.0])]
    visits.append(made_visit("v3", prolific("p3"), "withdrew", score=100.0))
    assert [line.bonus for line in payouts(visits, per_point=0.1, most_bonus=3.0)] == [0.0, 1.25, 3.0, 0.0]
    assert [line.score for line in payouts(visits)] == [-50.0, 12.5, 9_000.0, 100.0]


def test_only_those_of_a_site_are_listed():
    visits = [made_visit("a", prolific("p"), "complete"), made_visit("b", worker("w"), "complete")]
    assert paid(*visits, site="mturk") == {"b": "yes"}


def batch(lines, *rows):
    """Rows: (worker, typed) or (worker, typed, what is different)."""
    made = [
        {"AssignmentId": f"as{n}", "WorkerId": row[0], "AssignmentStatus": "Submitted", "Answer.surveycode": row[1],
         "Approve": "", "Reject": ""} | (row[2] if len(row) > 2 else {})
        for n, row in enumerate(rows)
    ]  # fmt: skip
    filled = fill_batch(made, lines, KEY)
    return [row["Approve"] for row in filled.rows], filled.look


def test_a_batch_is_approved_where_the_code_is_real_and_theirs():
    visits = [made_visit(f"v{n}", worker(f"w{n}"), "complete", key=KEY) for n in range(4)]
    visits.append(made_visit("v4", worker("w4"), "screenedOut", key=KEY))
    lines = payouts(visits)
    codes = [visit["code"] for visit in visits]
    approve, look = batch(
        lines,
        ("w0", codes[0].lower().replace("0", "o").replace("-", " ")),
        ("w1", f"my code is {codes[1]}, thanks"),
        ("w2", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"),
        ("w3", codes[0]),
        ("w4", codes[4]),
        ("w9", ""),
        ("w9", make_code(KEY, "complete", "forgotten")),
        ("w0", codes[0]),
    )
    assert approve == ["x", "x", "", "", "", "", "", ""]
    assert look == [
        "w2: the code is not one of this study's",
        "w3: the same code stands in another row",
        "w4: a real code, and the outcome is screenedOut",
        "w9: there is no code",
        "w9: a real code, but of a visit that is not in the list",
        "w0: the same code stands in another row",
    ]
    assert batch(lines, ("w3", codes[0]))[1] == ["w3: a real code, but it was given to w0"]


def test_rows_that_are_decided_are_left_alone():
    lines = payouts([made_visit("v", worker("w"), "complete", key=KEY)])
    code = lines[0].code
    for decided in ({"Reject": "no"}, {"AssignmentStatus": "Approved"}):
        approve, look = batch(lines, ("w", code, decided))
        assert (approve, look) == ([""], [])


def test_a_fixed_code_is_good_for_who_was_shown_it():
    visits = [
        made_visit(f"v{n}", worker(f"w{n}"), outcome, code="THANKS-7") for n, outcome in enumerate(["complete", None])
    ]
    approve, look = batch(payouts(visits), ("w0", " thanks-7 "), ("w1", "THANKS-7"), ("w2", "THANKS-7"))
    assert approve == ["x", "", ""]
    assert look == [f"w{n}: the code is not one of this study's" for n in (1, 2)]


# -- at the terminal ---------------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    """A study with four people; what they are called and the codes they got."""
    key = keep_visits(tmp_path / "Trials")
    visits = [
        made_visit("v0", prolific("p0"), "complete", key=key, score=10.0),
        made_visit("v1", prolific("p1"), "withdrew", key=key),
        made_visit("v2", worker("w2", "as2"), "complete", key=key),
        made_visit("v3", {"userId": "=HYPERLINK(1)"}, "complete", key=key),
    ]
    keep_visits(tmp_path / "Trials", *visits)
    return tmp_path, [visit["code"] for visit in visits]


def hippogym(capsys, study, *words):
    code = main([*words, "--study", str(study)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_table_is_csv_that_no_spreadsheet_runs(study, capsys):
    code, out, err = hippogym(capsys, study[0], "payouts")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and err == "3 to be paid, 0 to be looked at, 1 not\n"
    assert [row["participant"] for row in rows] == ["p0", "p1", "w2", "'=HYPERLINK(1)"]
    assert rows[0] | {"began": "", "ended": ""} == {
        "participant": "p0", "site": "prolific", "submission": "s1", "study": "st", "condition": "",
        "outcome": "complete", "pay": "yes", "bonus": "0.0", "code": study[1][0], "began": "", "ended": "",
        "minutes": "10.0", "score": "10.0", "note": "",
    }  # fmt: skip
    assert rows[0]["ended"] == "2026-09-21 14:23:20"


def test_a_table_of_nobody_has_its_headings(tmp_path, capsys):
    keep_visits(tmp_path / "Trials")
    code, out, _ = hippogym(capsys, tmp_path, "payouts")
    assert code == 0 and out.startswith("participant,site,") and out.count("\n") == 1


def test_names_and_bonuses_are_lines_for_pasting(study, capsys):
    assert hippogym(capsys, study[0], "payouts", "--site", "prolific", "--ids")[1] == "p0\n"
    out = hippogym(capsys, study[0], "payouts", "--bonuses", "--bonus", "0.5", "--most-bonus", "4")[1]
    assert out == "p0,4.00\n"


def test_a_table_that_is_kept_can_be_found_when_somebody_is_to_be_forgotten(study, capsys):
    table = study[0] / "table.csv"
    assert hippogym(capsys, study[0], "payouts", "--out", str(table))[0] == 0
    assert table.read_bytes().startswith(b"\xef\xbb\xbfparticipant,")
    assert list(known_exports(study[0] / "Trials")) == [("csv", table)]
    code, _, err = hippogym(capsys, study[0], "payouts", "--out", str(table))
    assert code == 1 and "exists already" in err


def test_a_batch_comes_back_as_mechanical_turk_wants_it(study, capsys):
    folder, codes = study
    results = folder / "Batch_1.csv"
    rows = [["as2", "w2", "Submitted", codes[2], "a, b"], ["as9", "w9", "Submitted", "guess", ""]]
    with results.open("w", newline="") as file:
        table = csv.writer(file, quoting=csv.QUOTE_ALL)
        table.writerows([["AssignmentId", "WorkerId", "AssignmentStatus", "Answer.code", "Answer.note"], *rows])
    code, out, err = hippogym(capsys, folder, "payouts", "--batch", str(results))
    assert code == 1
    assert err == "1 approved, 1 left for you to decide\n  w9: the code is not one of this study's\n"
    assert list(csv.reader(io.StringIO(out)))[1:] == [[*rows[0], "x", ""], [*rows[1], "", ""]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"AssignmentId,Other\n1,2\n", "has no column WorkerId"),
        (b"AssignmentId,WorkerId\n1,2,3\n", "rows that are longer"),
        (b"\xff\xfe", "cannot be read as CSV"),
        (b'AssignmentId,WorkerId\n1,"2\n', "cannot be read as CSV"),
    ],
)
def test_a_batch_that_cannot_be_read_is_told(study, capsys, content, told):
    (study[0] / "b.csv").write_bytes(content)
    code, out, err = hippogym(capsys, study[0], "payouts", "--batch", str(study[0] / "b.csv"))
    assert (code, out) == (1, "") and told in err


def test_a_code_is_verified_with_whose_it_is(study, capsys):
    folder, codes = study
    typed = codes[0].lower().replace("-", " ")
    when = "began 2026-09-21 14:13 UTC, ended 2026-09-21 14:23 UTC"
    assert hippogym(capsys, folder, "code", "verify", typed, codes[1]) == (
        0,
        f"{typed}: real, complete, given to p0, from prolific, {when}\n"
        f"{codes[1]}: real, withdrew, given to p1, from prolific, {when}\n",
        "",
    )


def test_a_made_up_code_is_told_and_the_exit_code_says_so(study, capsys):
    wrong = study[1][0][:-1] + ("A" if study[1][0][-1] != "A" else "B")
    code, out, _ = hippogym(capsys, study[0], "code", "verify", wrong, study[1][0])
    assert code == 1 and out.splitlines()[0] == f"{wrong}: not a code of this study"
    assert "real" in out.splitlines()[1]


def test_a_code_that_everybody_is_shown_is_told_and_proves_nothing(study, capsys):
    keep_visits(
        study[0] / "Trials", *(made_visit(f"f{n}", prolific(f"f{n}"), "fault", code="SORRY-1") for n in range(2))
    )
    code, out, _ = hippogym(capsys, study[0], "code", "verify", " sorry-1 ")
    assert (code, out) == (1, " sorry-1 : not signed, but shown to 2 participants: it can be passed on\n")


def test_codes_can_come_from_standard_input(study, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{study[1][0]}\n\nnonsense\x1b[31m\n"))
    code, out, _ = hippogym(capsys, study[0], "code", "verify", "-")
    assert code == 1 and out.count("\n") == 2 and "\x1b" not in out


def test_the_code_of_somebody_who_was_forgotten_is_still_real(study, capsys):
    key = (study[0] / "Trials" / "code.key").read_bytes()
    _, out, _ = hippogym(capsys, study[0], "code", "verify", make_code(key, "complete", "forgotten"))
    assert out.endswith("real, complete; its visit is no longer kept\n")


@pytest.mark.parametrize("words", [("code", "verify", "x"), ("payouts",)])
def test_a_folder_without_a_study_is_told_and_nothing_is_made_there(tmp_path, capsys, words):
    code, out, err = hippogym(capsys, tmp_path, *words)
    assert (code, out) == (1, "") and "there is no folder" in err
    (tmp_path / "Trials").mkdir()
    assert hippogym(capsys, tmp_path, *words)[0] == 1
    assert list((tmp_path / "Trials").iterdir()) == []


@pytest.mark.parametrize("words", [("--pay", "won"), ("--pay", ""), ("--bonus", "-1"), ("--ids", "--bonuses")])
def test_what_payouts_does_not_know_is_refused(study, capsys, words):
    with pytest.raises(SystemExit) as refused:
        main(["payouts", "--study", str(study[0]), *words])
    assert refused.value.code == 2


def test_the_batch_and_the_table_are_plain_values():
    line = payouts([made_visit("v", prolific("p"), "complete")])[0]
    assert json.loads(json.dumps(vars(line)))
