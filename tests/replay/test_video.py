"""A video shows what was played, as long as it was played, and says where it is not what was recorded."""

import contextlib
import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hippogym.cli import main
from hippogym.core.frame_header import FrameHeader
from hippogym.live.frames import encode_jpeg
from hippogym.replay.picture import PANEL, Layout, draw
from hippogym.replay.timeline import Mark, Moment, Timeline, kind_of, timelines
from hippogym.replay.verdict import VERIFIED, judge
from hippogym.replay.video import LAST_S, Film, Options, shown_times
from tests.replay.conftest import plain_loop

ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="pip install 'hippogym[video]'")


def read(path: Path) -> tuple[float, tuple[int, int], list[np.ndarray]]:
    """Rate, (width, height) and pictures, as a player would show them."""
    command = [ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    ran = subprocess.run(command, capture_output=True, check=True)
    width, height, rate = re.search(r"Video: h264.*? (\d+)x(\d+),.*?([\d.]+) fps", ran.stderr.decode()).groups()
    pictures = np.frombuffer(ran.stdout, np.uint8).reshape(-1, int(height), int(width), 3)
    return float(rate), (int(width), int(height)), list(pictures)


def test_a_video_lasts_as_long_as_the_episode_and_shows_its_pictures(played, tmp_path, capsys):
    out = tmp_path / "film.mp4"
    assert main(["video", str(played["plain"].record), "--out", str(out)]) == 0
    (line,) = timelines(played["plain"].record)
    rate, _, pictures = read(out)
    assert rate == 60
    assert len(pictures) / 60 == pytest.approx(line.moments[-1].t_s + LAST_S, abs=1 / 60 + 1e-6)
    place = plain_loop(played["plain"].record)[-2]["observation"][0]
    assert pictures[-1].mean() == pytest.approx(int(abs(place) * 20) % 256, abs=4), "the game draws its state as grey"
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_looking_at_a_replay_does_not_change_it(played):
    seen: list[int] = []
    sparks = played["sparks"]
    records = {path.name: path for path in sorted(sparks.folder.glob("*.pkl"))}
    verdicts = judge(sparks.study, records, frozenset(records), on_frame=lambda header, jpeg: seen.append(header.tick))
    assert {verdict.status for verdict in verdicts} == {VERIFIED}
    assert len(seen) == sum(verdict.frames for verdict in verdicts)
    assert sum(verdict.unencoded for verdict in verdicts) > 10


def test_inputs_are_drawn_below(played, tmp_path, capsys):
    out = tmp_path / "film.mp4"
    assert main(["video", str(played["plain"].record), "--out", str(out), "--inputs"]) == 0
    _, size, pictures = read(out)
    assert size == (720, 480 + PANEL)
    assert pictures[-1][480:].std() > 10


def test_nothing_is_replaced(played, tmp_path, capsys):
    out = tmp_path / "film.mp4"
    out.write_bytes(b"mine")
    assert main(["video", str(played["plain"].record), "--out", str(out)]) == 1
    assert out.read_bytes() == b"mine"
    assert "exists already" in capsys.readouterr().err


def test_a_video_of_what_was_changed_says_so(played, tmp_path, capsys):
    def change(entries):
        entries[5]["hippogym"]["action"]["value"] = (entries[5]["hippogym"]["action"]["value"] + 1) % 3

    record = played["plain"].changed(tmp_path / "changed", change)
    code = main(["video", str(record), "--out", str(tmp_path / "x.mp4"), "--study", str(played["plain"].study)])
    assert code == 1
    assert "differs at tick" in capsys.readouterr().err
    *_, pictures = read(tmp_path / "x.mp4")
    assert pictures[-1][10:38, 10:140].std() > 10, "'not as recorded' is written in the corner"
    assert pictures[0][10:38, 10:140].std() < 4


def test_a_film_that_fails_leaves_nothing(tmp_path):
    line = Timeline(0, "Game", moments=[Moment(0, 0.0), Moment(1, 1.0)])
    with pytest.raises(ZeroDivisionError), contextlib.ExitStack() as files:
        film = Film([line], tmp_path / "x.mp4", Options(), files)
        film.take(FrameHeader(0, 0, 0, 0, (20, 10)), encode_jpeg(np.zeros((10, 20, 3), np.uint8), 80))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(160, 210), (1, 1), (500, 500), (4096, 3), (3, 4096), (96, 96)])
@pytest.mark.parametrize("panel", [False, True])
def test_pictures_of_every_size_are_even_and_whole(size, panel):
    layout = Layout.of(size, panel)
    width, height = layout.picture
    jpeg = encode_jpeg(np.full((size[1], size[0], 3), 200, np.uint8), 80)
    recent = [Mark(0.0, "feedback", "bad"), Mark(0.0, "command", "x" * 300), Mark(0.0, "command", "\N{SNOWMAN}")]
    moment = Moment(3, 1.0, "up", "held", 1.0, float("nan"), ["ArrowUp"] * 16, latency_ms=12.0)
    pixels = draw(layout, jpeg, moment, recent, 1.0, as_recorded=True)
    assert width % 2 == height % 2 == 0
    assert len(pixels) == 3 * width * height
    shown = Image.frombytes("RGB", (width, height), pixels)
    left = (width - size[0] * layout.scale) // 2
    assert shown.getpixel((left + size[0] * layout.scale // 2, size[1] * layout.scale // 2)) == (200, 200, 200)
    assert Image.open(io.BytesIO(jpeg)).size == size


def test_long_pauses_are_cut_where_that_is_asked_for():
    times = [0.0, 0.1, 10.1, 10.2]
    assert list(shown_times(times, None).values()) == times
    assert list(shown_times(times, 2.0).values()) == pytest.approx([0.0, 0.1, 2.1, 2.2])


def test_a_timeline_tells_what_was_done_and_when(played):
    (line,) = timelines(played["plain"].record)
    entries = plain_loop(played["plain"].record)
    assert [moment.tick for moment in line.moments] == list(range(21))
    assert line.moments[-1].score == sum(entry["reward"] for entry in entries[1:-1])
    assert {mark.kind for mark in line.marks} <= {"feedback", "action", "command"}
    said = [
        one["message"] for entry in entries for one in entry["hippogym"]["inputs"] if "userId" not in one["message"]
    ]
    assert len(line.marks) == len(said)
    assert all(0 <= mark.t_s <= line.moments[-1].t_s + 1 for mark in line.marks)
    assert any(moment.latency_ms is not None and moment.latency_ms >= 0 for moment in line.moments)


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        ({"command": "Good "}, "feedback", "good"),
        ({"command": "pause"}, "command", "pause"),
        ({"keys": ["ArrowUp", "Space"]}, "key", "ArrowUp + Space"),
        ({"keys": []}, "key", "let go"),
        ({"controls": ["left"], "keys": [1]}, "key", "left"),
        ({"action": "up", "actionType": "KeyW"}, "action", "up"),
        ({"changeFrameRate": "faster"}, "command", "frame rate: faster"),
        ({"info": "hello"}, "other", "hello"),
        ({"info": {"a": 1}}, "other", '{"info": {"a": 1}}'),
        ({1: b"x"}, "other", '{"1": "b\'x\'"}'),
    ],
)
def test_what_a_message_is(message, kind, text):
    assert kind_of(message) == (kind, text)
