"""The page of a replay is there for who knows its address, on this machine, and for nobody else."""

import asyncio

import httpx
import pytest

from hippogym.replay.frames_kept import FramesKept
from hippogym.replay.serve import describe, replay_app
from hippogym.replay.timeline import Mark, Moment, Timeline
from hippogym.replay.verdict import Verdict

TOKEN = "a-token"


@pytest.fixture
def get():
    """Ask the page for a path; host: by which name."""
    with FramesKept() as frames:
        frames.add(0, 1, b"jpeg one")
        frames.add(0, 2, b"jpeg two")
        marks = [Mark(0.1, "other", "</script><b>&")]
        lines = [Timeline(0, "Game", moments=[Moment(0, 0.0), Moment(1, 0.5, reward=float("nan"))], marks=marks)]
        told = describe("episode_0000.pkl", lines, [Verdict("episode_0000.pkl", 0, "verified", 1, 1, 0)], frames)
        app = replay_app(told, frames, TOKEN)

        def get(path: str, host: str = "127.0.0.1:8000") -> httpx.Response:
            async def ask() -> httpx.Response:
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
                    return await client.get(path, headers={"host": host})

            return asyncio.run(ask())

        yield get


def test_the_page_its_files_and_its_pictures_are_there(get):
    page = get(f"/{TOKEN}/")
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]
    for name in ("main.js", "film.js", "replay.css", "css/base.css", "css/parts.css", "favicon.svg"):
        assert get(f"/{TOKEN}/static/{name}").status_code == 200, name
    assert get(f"/{TOKEN}/frames/0/2.jpg").content == b"jpeg two"
    assert get(f"/{TOKEN}/frames/0/9.jpg").status_code == 404


def test_what_is_known_is_told_without_the_pictures_hashes(get):
    told = get(f"/{TOKEN}/data.json").json()
    (episode,) = told["episodes"]
    assert episode["moments"]["picture"] == [False, True]
    assert episode["moments"]["reward"] == [None, "nan"]
    assert episode["marks"][0]["text"] == "</script><b>&"
    assert episode["verdict"] == {"status": "verified", "tick": None, "lines": []}


@pytest.mark.parametrize(
    "path", ["/", "/data.json", "/other/", "/a-toke/", "/a-token2/data.json", "//a-token/", "/%61/"]
)
def test_nobody_gets_in_without_the_token(get, path):
    assert get(path).status_code == 404


@pytest.mark.parametrize(
    ("host", "welcome"),
    [("127.0.0.1:1", True), ("localhost:1", True), ("evil.example:1", False), ("", False), ("127.0.0.1.evil:1", False)],
)
def test_only_this_machines_own_name_is_answered(get, host, welcome):
    assert (get(f"/{TOKEN}/data.json", host).status_code == 200) is welcome


@pytest.mark.parametrize(
    "path", ["static/index.html", "static/../serve.py", "static/js/main.js", "frames/0/-1.jpg", "x"]
)
def test_nothing_else_is_served(get, path):
    assert get(f"/{TOKEN}/{path}").status_code == 404


def test_no_answer_is_kept_by_the_browser_and_nothing_comes_from_elsewhere(get):
    for path in ("", "data.json", "frames/0/1.jpg", "nothing"):
        headers = get(f"/{TOKEN}/{path}").headers
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
