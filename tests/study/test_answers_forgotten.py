"""Who is forgotten, or withdraws and wants everything deleted, leaves no byte; everybody else loses nothing."""

import json
import sqlite3
from pathlib import Path

import pytest

from hippogym.cli import main
from hippogym.data.deletion import delete_trials
from hippogym.data.forgetting.search import search
from hippogym.data.ledger.sqlite import FILE
from hippogym.data.records_folder import claim
from hippogym.data.spool import Spool
from hippogym.data.storage import open_storage
from hippogym.data.users_delivery import ERASE, UsersDelivery, users_waiting
from tests.clients import join
from tests.servers import serving
from tests.study.at_the_desk import Clock, Guest, opened, settings_of
from tests.study.whole_study import CONFIG, Person, a_file, wait_for, whole_study

WHO, OTHER = "ada@example.org", "bob@example.org"
SECRET = "the wreck of the hesperus, " * 400  # longer than a page of the ledger
STEPS = ["consent.html", "survey.html"]
PAGES = {
    "consent.html": '<input type="checkbox" name="agree">',
    "survey.html": '<textarea name="text"></textarea><input type="file" name="file">',
    "thanks.html": "Thanks",
}


async def take_part(folder: Path, clock: Clock) -> None:
    async with opened(folder, settings_of(STEPS), clock, PAGES) as desk:
        for who in (WHO, OTHER, WHO):
            guest = await Guest(desk, userId=who).arrive()
            await guest.submit(agree=True)
            said = SECRET if who == WHO else "nothing special"
            await guest.submit(text=said, file=a_file("x", said.encode()))


@pytest.fixture
async def study(tmp_path: Path) -> Path:
    """A study in which two have taken part, long ago."""
    folder = whole_study(tmp_path / "study", pages={})
    with claim(folder / "Trials"):
        await take_part(folder / "Trials", Clock())
    return folder


def forget(capsys, *arguments: object) -> tuple[int, str]:
    code = main(["forget", *map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out + told.err


def users_in(study: Path) -> list[str]:
    database = sqlite3.connect(study / "Trials" / FILE)
    try:
        return [user for (user,) in database.execute("SELECT user FROM visits")]
    finally:
        database.close()


async def test_nothing_of_who_is_forgotten_is_left_in_any_byte(study, capsys):
    assert search([study], WHO).hits > 0 and search([study], SECRET[:26]).certain
    code, out = forget(capsys, WHO, "--study", study, "--yes")
    assert code == 0, out
    assert "2 visits with their answers" in out and "1 files with their answers" in out and "0 hits" in out
    for word in (WHO, SECRET[:26], "hesperus"):
        found = search([study], word)
        assert (found.hits, found.possible) == (0, {}), word
    assert users_in(study) == [OTHER]
    [path] = (study / "Trials" / "users").glob("*.json")
    assert json.loads(path.read_text())["user"] == OTHER


async def test_who_is_known_by_a_part_of_their_link_is_found_too(tmp_path, capsys):
    folder = whole_study(tmp_path / "study", pages={})
    with claim(folder / "Trials"):
        async with opened(folder / "Trials", settings_of(STEPS), Clock(), PAGES) as desk:
            await Guest(desk, PROLIFIC_PID="5f3a", SESSION_ID="session-77").arrive()
    assert forget(capsys, "session-77", "--study", folder, "--yes")[0] == 0
    assert users_in(folder) == []


async def test_exports_of_answers_go_too(study, tmp_path, capsys):
    outs = [study / f"answers.{to}" for to in ("csv", "jsonl", "parquet")]
    for out in outs:
        assert main(["answers", "--study", str(study), "--to", out.suffix[1:], "--out", str(out)]) == 0
    capsys.readouterr()
    code, out = forget(capsys, WHO, "--study", study, "--yes")
    assert (code, [path for path in outs if path.exists()]) == (0, []), out


async def test_who_is_taking_part_is_not_forgotten(study, tmp_path, capsys):
    clock = Clock()
    clock.now_s = __import__("time").time()
    async with opened(study / "Trials", settings_of(STEPS), clock, PAGES) as desk:
        await Guest(desk, userId=WHO).arrive()
        code, out = forget(capsys, WHO, "--study", study, "--yes")
        assert (code, "taking part now" in out) == (1, True)
        assert users_in(study).count(WHO) == 3


async def test_others_may_be_forgotten_while_the_study_runs(study, capsys):
    async with opened(study / "Trials", settings_of(STEPS), Clock(), PAGES) as desk:
        guest = await Guest(desk, userId="carl").arrive()
        assert forget(capsys, WHO, "--study", study, "--yes")[0] == 0
        await guest.submit(agree=True)
        assert guest.view["name"] == "survey"
    assert (search([study], WHO).hits, users_in(study)) == (0, [OTHER, "carl"])


async def test_it_can_be_repeated(study, capsys):
    forget(capsys, WHO, "--study", study, "--yes")
    code, out = forget(capsys, WHO, "--study", study, "--yes")
    assert (code, "nothing is kept of this participant" in out) == (0, True)


# -- the store ---------------------------------------------------------------------------------------------------


def deliver(study: Path, store) -> None:
    Spool(study / "Trials").open()
    delivery = UsersDelivery(study / "Trials", store, "pilot")
    delivery.open()
    for found in delivery.waiting(now=True):
        delivery.deliver(found.record)


def stored(store) -> dict[str, list[str]]:
    found = {}
    for key in store.keys(""):
        with store.fetch(key) as file:
            found[key] = [visit["step"] for visit in json.loads(file.read())["visits"]]
    return found


async def test_files_go_up_as_they_change_and_only_then(study, tmp_path):
    store = open_storage(str(tmp_path / "store"))
    assert len(users_waiting(study / "Trials")) == 2
    deliver(study, store)
    assert stored(store) == {f"pilot/users/{WHO}": ["finalStep"] * 2, f"pilot/users/{OTHER}": ["finalStep"]}
    assert users_waiting(study / "Trials") == []
    async with opened(study / "Trials", settings_of(STEPS), Clock(), PAGES) as desk:
        await Guest(desk, userId=OTHER).arrive()
    assert len(users_waiting(study / "Trials")) == 1
    deliver(study, store)
    assert stored(store)[f"pilot/users/{OTHER}"] == ["finalStep", "consent"]
    assert users_waiting(study / "Trials") == []


async def test_what_was_uploaded_is_forgotten_too(study, tmp_path, capsys):
    store = open_storage(str(tmp_path / "store"))
    deliver(study, store)
    code, out = forget(capsys, WHO, "--study", study, "--store", tmp_path / "store", "--yes")
    assert (code, set(stored(store))) == (0, {f"pilot/users/{OTHER}"}), out
    assert search([tmp_path], WHO).hits == 0


async def test_a_name_that_cannot_be_a_key_is_replaced(tmp_path):
    folder = whole_study(tmp_path / "study", pages={})
    with claim(folder / "Trials"):
        async with opened(folder / "Trials", settings_of(STEPS), Clock(), PAGES) as desk:
            await Guest(desk, userId="../x").arrive()
    store = open_storage(str(tmp_path / "store"))
    deliver(folder, store)
    [key] = stored(store)
    assert key.startswith("pilot/users/id-")


async def test_what_was_deleted_at_withdrawal_is_erased_from_the_store(study, tmp_path):
    store = open_storage(str(tmp_path / "store"))
    deliver(study, store)
    played = study / "Trials" / "20260101-000000-abcdefgh"
    played.mkdir()
    (played / "episode_0000.pkl").write_bytes(b"x")
    delete_trials(study / "Trials", "pilot", OTHER, [played.name, "../../evil"], uploaded=True)
    assert not played.exists()
    deliver(study, store)
    assert f"pilot/users/{OTHER}" not in stored(store), "erased, with all its versions"
    deliver(study, store)
    assert f"pilot/users/{OTHER}" in stored(store), "what is left of it goes up again"
    assert list((study / "Trials" / ".spool" / ERASE).iterdir()) == []


# -- a real server -----------------------------------------------------------------------------------------------


async def test_who_withdraws_in_the_game_and_wants_it_leaves_neither_answers_nor_records(tmp_path: Path):
    steps = "    1: survey.html\n    2: game\n    finalStep: thanks.html\n"
    config = CONFIG[: CONFIG.index("    1: consent")] + steps + CONFIG[CONFIG.index("trial:") :]
    config = config.replace("count-3", "count-100000").replace("maxEpisodes: 1", "maxEpisodes: 9")
    with serving(whole_study(tmp_path / "study", config)) as server:
        with Person(server.url, {"userId": "ada"}) as someone:
            someone.arrive()
            someone.submit({"text": "my secret"})
            async with join(server.ws, origin=server.url) as client:
                await client.hello("", visit=someone.token)
                await client.until("welcome")
                await client.say(command="start")
                await client.until_frame(3)
                assert any(server.records.glob("2*/*.part"))
                assert someone.withdraw(delete=True).json()["view"]["end"]["outcome"] == "withdrew"
                assert not any(server.records.glob("2*"))
        told = wait_for(lambda: [path.read_text() for path in (server.records / "users").glob("*.json")])
        wait_for(lambda: "secret" not in next((server.records / "users").glob("*.json")).read_text())
        assert told and server.stop() == 0
        assert search([server.records], "my secret").hits == 0
