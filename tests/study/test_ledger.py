"""The ledger keeps what it was given, all of it or nothing, whatever happens to the disk or the process."""

import asyncio
import json
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hippogym.data.ledger import schema
from hippogym.data.ledger.keeper import LedgerThread
from hippogym.data.ledger.sqlite import SqliteLedger
from hippogym.errors import RecordError, StartError


def visit(name: str, user: str | None = "ada", **more) -> dict:
    return {"v": 1, "id": name, "user": user, "answers": {}, **more}


def answer(stamp: str, said: object = "yes", step: str = "survey") -> dict:
    return {"step": step, "stamp": stamp, "answers": {"q": said}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.sqlite"


@pytest.fixture
def ledger(path: Path):
    opened = SqliteLedger(path)
    yield opened
    opened.close()


def add(ledger: SqliteLedger, name: str, user: str | None = "ada", **more) -> None:
    with ledger.writing():
        ledger.create(visit(name, user, **more), f"digest of {name}")


def test_a_visit_is_found_by_its_id_its_token_and_its_user(ledger):
    for name in ("one", "two"):
        add(ledger, name)
    add(ledger, "three", "somebody else")
    with ledger.reading():
        assert ledger.load("one").visit == visit("one")
        assert ledger.by_token("digest of two").visit["id"] == "two"
        assert [held.visit["id"] for held in ledger.by_user("ada")] == ["two", "one"]
        assert [held.visit["id"] for held in ledger.all()] == ["one", "two", "three"]
        assert ledger.load("none") is ledger.by_token("none") is None


def test_who_saves_what_somebody_else_has_changed_saves_nothing(ledger):
    add(ledger, "one")
    with ledger.writing():
        assert ledger.save(visit("one", a=1), 1, answer("s1"))
        assert not ledger.save(visit("one", a=2), 1, answer("s2"))
    with ledger.reading():
        assert ledger.load("one").visit["a"] == 1
        assert [one["stamp"] for one in ledger.answers("one")] == ["s1"]


def test_no_showing_has_two_answers(ledger):
    add(ledger, "one")
    with ledger.writing():
        assert ledger.save(visit("one"), 1, answer("s1", "first"))
        assert ledger.save(visit("one"), 2, answer("s1", "second"))
    with ledger.reading():
        assert [one["answers"]["q"] for one in ledger.answers()] == ["first"]


def test_what_is_raised_inside_undoes_everything(ledger):
    add(ledger, "one")
    with pytest.raises(ZeroDivisionError), ledger.writing():
        ledger.save(visit("one", a=1), 1, answer("s1"))
        raise ZeroDivisionError
    with ledger.reading():
        assert (ledger.load("one").version, list(ledger.answers())) == (1, [])


@settings(max_examples=25)
@given(st.text() | st.characters(categories=["Cs"]), st.recursive(st.none() | st.booleans() | st.text(), st.lists))
def test_every_text_comes_back_as_it_was(tmp_path_factory, user, said):
    ledger = SqliteLedger(tmp_path_factory.mktemp("ledger") / "study.sqlite")
    add(ledger, "one", user)
    with ledger.writing():
        ledger.save(visit("one", user, said=said), 1, answer("s1", said))
    with ledger.reading():
        assert ledger.by_user(user)[0].visit["said"] == said
        assert next(ledger.answers())["answers"]["q"] == said
    ledger.close()


def test_the_log_of_assignments_and_facts_are_kept(ledger):
    entries = [{"visit": "one", "factor": "condition", "arm": arm, "n": n} for n, arm in enumerate("ab")]
    with ledger.writing():
        ledger.create(visit("one"), None, entries)
        ledger.set_meta("seed", "1")
        ledger.set_meta("seed", "2")
    with ledger.reading():
        assert list(ledger.assignments()) == entries
        assert (ledger.meta("seed"), ledger.meta("nothing")) == ("2", None)


def test_who_is_forgotten_leaves_only_the_log_of_assignments(ledger):
    with ledger.writing():
        ledger.create(visit("one"), "x", [{"visit": "one", "factor": "condition", "arm": "a"}])
        ledger.save(visit("one"), 1, answer("s1"), events=[{"kind": "began", "t_s": 1.0}])
    with ledger.writing():
        ledger.forget("one")
    with ledger.reading():
        assert (list(ledger.all()), list(ledger.answers()), ledger.answers_bytes("one")) == ([], [], 0)
        assert list(ledger.events("one")) == [] and len(ledger.assignments()) == 1


def test_not_a_byte_is_left_of_what_was_deleted(ledger, path):
    secret = "zanzibar" * 3000  # longer than a page, so that it is in others too
    add(ledger, "one", "ada")
    add(ledger, "two", "bob")
    with ledger.writing():
        ledger.save(visit("one", said=secret), 1, answer("s1", secret))
    assert any(b"zanzibar" in file.read_bytes() for file in path.parent.iterdir())
    with ledger.writing():
        ledger.forget("one")
    ledger.scrub()
    left = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert set(left) == {"study.sqlite", "study.sqlite-wal", "study.sqlite-shm"}
    assert not any(b"zanzibar" in data or b"ada" in data for data in left.values())
    with ledger.reading():
        assert [held.visit["id"] for held in ledger.all()] == ["two"]


def test_it_is_for_its_owner_alone(ledger, path):
    add(ledger, "one")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_it_syncs_at_every_commit_and_overwrites_what_is_deleted(ledger):
    with ledger.reading():
        asked = {name: ledger._connection.execute(f"PRAGMA {name}").fetchone()[0]
                 for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys")}  # fmt: skip
    assert asked == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}


# -- what is not a ledger ----------------------------------------------------------------------------------------


def test_another_database_is_left_alone(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()
    with pytest.raises(StartError, match="not of a study"):
        SqliteLedger(path)


def test_a_file_that_is_no_database_is_left_alone(path):
    path.write_bytes(b"something else" * 100)
    with pytest.raises(StartError, match="not a database"):
        SqliteLedger(path)
    assert path.read_bytes() == b"something else" * 100


def test_a_newer_ledger_is_left_alone(path):
    SqliteLedger(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 1000")
    database.close()
    with pytest.raises(StartError, match="newer version"):
        SqliteLedger(path)


def test_an_older_ledger_becomes_one_of_today_and_loses_nothing(path, monkeypatch):
    first = SqliteLedger(path)
    add(first, "one")
    first.close()
    later = (*schema.MIGRATIONS, "ALTER TABLE meta ADD COLUMN note TEXT;")
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    second = SqliteLedger(path)
    with second.writing():
        second._connection.execute("INSERT INTO meta (key, value, note) VALUES ('a', 'b', 'c')")
        assert second.load("one").visit["id"] == "one"
    second.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*later, "ALTER TABLE meta ADD COLUMN other TEXT; nonsense;"))
    with pytest.raises(StartError):
        SqliteLedger(path)
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    SqliteLedger(path).close()  # the failed step has left it as it was


def test_a_damaged_ledger_is_named_and_not_used(path):
    first = SqliteLedger(path)
    for number in range(200):
        add(first, f"visit {number}", text="x" * 500)
    first.close()
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(StartError, match=r"study\.sqlite"):
        SqliteLedger(path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StartError, match="nowhere"):
        SqliteLedger(tmp_path / "nowhere" / "study.sqlite")


# -- the thread --------------------------------------------------------------------------------------------------


def creating(name: str, **more):
    return lambda ledger: ledger.create(visit(name, **more), None)


async def ids(keeper: LedgerThread) -> list[str]:
    return await keeper.read(lambda ledger: [held.visit["id"] for held in ledger.all()])


async def test_work_is_done_in_one_thread_that_is_not_the_loops(path):
    with LedgerThread(path) as keeper:
        threads = await asyncio.gather(*(keeper.write(lambda ledger: threading.get_ident()) for _ in range(50)))
        threads += await asyncio.gather(*(keeper.read(lambda ledger: threading.get_ident()) for _ in range(50)))
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


async def test_what_fails_does_so_alone(path):
    def failing(ledger: SqliteLedger) -> None:
        ledger.create(visit("half"), None)
        raise ZeroDivisionError

    with LedgerThread(path) as keeper:
        works = [keeper.write(creating(str(number)) if number % 3 else failing) for number in range(30)]
        results = await asyncio.gather(*works, return_exceptions=True)
        assert [isinstance(result, ZeroDivisionError) for result in results] == [not n % 3 for n in range(30)]
        assert await ids(keeper) == [str(number) for number in range(30) if number % 3]


async def test_the_same_id_twice_is_refused_in_a_sentence(path):
    with LedgerThread(path) as keeper:
        results = await asyncio.gather(*(keeper.write(creating("one")) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [int, RecordError, RecordError]
        assert await ids(keeper) == ["one"]


async def test_what_waits_at_the_end_is_done(path):
    with LedgerThread(path) as keeper:
        waiting = [asyncio.ensure_future(keeper.write(creating(str(n)))) for n in range(100)]  # noqa: TID251
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    ledger = SqliteLedger(path)
    with ledger.reading():
        assert len(list(ledger.all())) == 100
    ledger.close()


async def test_a_ledger_that_cannot_be_opened_is_said_at_once(path):
    path.write_bytes(b"x" * 1000)
    with pytest.raises(StartError):
        LedgerThread(path).__enter__()


async def test_while_another_process_writes_reading_works_and_writing_is_refused(path, monkeypatch):
    monkeypatch.setattr("hippogym.data.ledger.sqlite.LOCKED_S", 0.2)
    with LedgerThread(path) as keeper:
        await keeper.write(creating("one"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError, match="in use by another process"):
            await keeper.write(creating("two"))
        assert await ids(keeper) == ["one"]
        other.execute("ROLLBACK")
        other.close()
        await keeper.write(creating("two"))
        assert await ids(keeper) == ["one", "two"]


async def test_chores_are_done_when_nothing_waits_and_their_failure_stops_nothing(path):
    called = asyncio.Event()
    loop = asyncio.get_running_loop()

    def chore(ledger: SqliteLedger) -> bool:
        loop.call_soon_threadsafe(called.set)
        raise OSError("the disk is away")

    with LedgerThread(path, chore) as keeper:
        async with asyncio.timeout(90):
            await called.wait()
        await keeper.write(creating("one"))


FULL_DISK = """
    import asyncio, json, resource, sys
    from pathlib import Path
    from hippogym.data.ledger.keeper import LedgerThread
    from hippogym.errors import RecordError

    async def main():
        with LedgerThread(Path(sys.argv[1])) as keeper:
            kept, refused, full = [], 0, 0
            for number in range(120):
                if number == 20:  # from here on no file may grow
                    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
                if number == 100:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                document = {"v": 1, "id": str(number), "user": "ada", "text": "x" * 5000}
                try:
                    await asyncio.gather(
                        keeper.write(lambda ledger: ledger.create(document, None)),
                        keeper.read(lambda ledger: ledger.load("1")),
                    )
                    kept.append(str(number))
                except RecordError as problem:
                    refused += 1
            there = await keeper.read(lambda ledger: [held.visit["id"] for held in ledger.all()])
            print(json.dumps([kept, there, refused]))

    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    asyncio.run(main())
"""


def test_with_a_full_disk_what_is_refused_is_not_there_and_what_is_answered_is(path):
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(FULL_DISK), str(path)], capture_output=True, text=True,
                         timeout=240)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    kept, there, refused = json.loads(ran.stdout)
    assert kept == there
    assert refused > 50 and "119" in kept, "it works again when there is room"


KILLED = """
    import asyncio, sys
    from pathlib import Path
    from hippogym.data.ledger.keeper import LedgerThread

    async def writer(keeper, who):
        for number in range(100_000):
            document = {"v": 1, "id": f"{who}-{number}", "user": "ada", "text": "x" * 300}
            await keeper.write(lambda ledger: ledger.create(document, None))
            sys.stdout.write(document["id"] + "\\n")
            sys.stdout.flush()

    async def main():
        with LedgerThread(Path(sys.argv[1])) as keeper:
            await asyncio.gather(*(writer(keeper, who) for who in range(8)))

    asyncio.run(main())
"""


def killed_after(path: Path, lines: int) -> set[str]:
    """What a process that was killed had said to have kept."""
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), str(path)], stdout=subprocess.PIPE)
    said = [process.stdout.readline().decode().strip() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().decode().split("\n")[:-1]
    process.wait(90)
    process.stdout.close()
    return set(said)


@pytest.mark.parametrize("lines", [1, 40, 333])
def test_killed_at_any_moment_it_has_what_it_said_to_have(path, lines):
    said = killed_after(path, lines)
    ledger = SqliteLedger(path)
    with ledger.reading():
        there = {held.visit["id"] for held in ledger.all()}
    ledger.close()
    assert said <= there
    assert len(there - said) <= 8, "and of what was not answered at most what was under way"


async def test_nothing_that_goes_wrong_beside_the_ledger_ends_its_thread(path, caplog):
    def chore(ledger: SqliteLedger) -> bool:
        raise TypeError("a mistake of ours")

    def kept(result: object) -> None:
        raise ZeroDivisionError

    with LedgerThread(path, chore) as keeper:
        for number in range(3):
            await keeper.write(creating(str(number)), kept)
        assert await ids(keeper) == ["0", "1", "2"]
    assert "could not be told" in caplog.text


async def test_after_the_end_everybody_is_told_so(path):
    keeper = LedgerThread(path)
    with keeper:
        await keeper.write(creating("one"))
    with pytest.raises(RecordError, match="stopped"):
        await keeper.write(creating("two"))
    keeper.close()
