"""The disk is full, slow or far away: nothing is acknowledged that is not kept, and nobody else waits."""

import asyncio
import json
import threading
from pathlib import Path

from hippogym.data.records_folder import claim
from hippogym.data.upload_status import status
from hippogym.data.uploader import Uploader
from tests.servers import serving
from tests.study.at_the_desk import Clock, Guest, opened, settings_of
from tests.study.test_http import rows_of
from tests.study.visiting import CONFIG, PAGES, Servers
from tests.study.whole_study import Person, wait_for, whole_study
from tests.survival.small_disk import SmallDisk, mounted

LONG = "x" * 90_000


def fails_and_goes_on(server, fill, make_room) -> None:
    with Person(server.url) as someone:
        someone.arrive()
        fill()
        stamp = someone.view["stamp"]
        refused = someone.submit({"text": LONG})
        assert refused.status_code == 503, refused.text
        assert refused.headers["retry-after"] and refused.json()["error"]["code"] in ("disk_full", "busy")
        assert someone.now().status_code == 200 and someone.view["stamp"] == stamp
        assert someone.arrive().status_code in (200, 503)
        assert rows_of(server, stamp) == []
        make_room()
        assert someone.submit({"text": LONG}, stamp).json()["repeated"] is False
        assert [row["answers"]["text"] for row in rows_of(server, stamp)] == [LONG]


def test_on_a_full_disk_an_answer_is_refused_and_taken_when_there_is_room(tmp_path: Path):
    study = whole_study(tmp_path / "study", CONFIG, PAGES)
    with mounted(study / "Trials"), serving(study) as server:
        disk = SmallDisk(study / "Trials")
        fails_and_goes_on(server, lambda: disk.fill(server), lambda: disk.make_room(server))
        assert server.stop() == 0


def test_where_no_file_may_grow_the_same_is_true(tmp_path: Path):
    servers = Servers(tmp_path)
    full = servers.full_disk()
    try:
        fails_and_goes_on(servers.running, full.__enter__, lambda: full.__exit__(None, None, None))
    finally:
        servers.close()


async def test_a_disk_that_takes_its_time_stops_nothing_else(tmp_path: Path):
    """Whoever waits for the ledger, the loop does not: it is the loop that lets it go on."""
    async with opened(tmp_path, settings_of()) as desk:
        slow = threading.Event()
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(desk.keeper.read(lambda ledger: slow.wait(30)))
            second = tasks.create_task(Guest(desk).arrive())
            for _ in range(100):
                await asyncio.sleep(0)
            assert not first.done() and not second.done()
            slow.set()
        assert first.result() is True and second.result().view["kind"] == "page"


async def test_a_participants_file_goes_up_while_they_take_part_and_all_is_there_at_the_end(tmp_path: Path):
    records, store = tmp_path / "Trials", tmp_path / "store"
    with claim(records), Uploader(records, str(store), "pilot", plain=True) as uploader:
        async with opened(records, settings_of(["consent.html", "survey.html"]), Clock()) as desk:
            guest = await Guest(desk, userId="ada").arrive()
            await asyncio.to_thread(wait_for, lambda: steps_in(store) == ["consent"])
            await guest.submit(agree=True)
            await asyncio.to_thread(wait_for, lambda: steps_in(store) == ["survey"])
            await guest.submit()
        assert await asyncio.to_thread(uploader.drain, 60) is True
        assert steps_in(store) == ["finalStep"]
        assert status(records).waiting == ()


def steps_in(store: Path) -> list[str]:
    path = store / "pilot" / "users" / "ada"
    return [visit["step"] for visit in json.loads(path.read_text())["visits"]] if path.exists() else []
