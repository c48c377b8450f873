"""The image beside the plain way: how large, how long to build, how soon a participant sees something.

    python -m benchmarks.image [--runs N] [--out FILE]

Needs a container engine, and a network for it. The plain way is what one writes without thinking about it: the Python
image, everything of the folder in it, pip install. Both are built without any cache, one after the other. Times of a
machine that does other things are longer; what is told are the medians.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

ROOT = Path(__file__).resolve().parent.parent
WITHIN_S = 180.0
GAME = "trial:\n  game: ALE/MsPacman-v5\n"
PLAIN = """\
FROM python:3.11.14-slim-bookworm
WORKDIR /study
COPY . .
RUN pip install -r requirements.txt
ENV ADDRESS=0.0.0.0
EXPOSE 5000
CMD python3 communicator.py dev
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="starts of each (3)")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours, plain = Path(folder) / "ours", Path(folder) / "plain"
        for each in (ours, plain):
            copy_of_the_project(each)
        script = (ours / "xvfb.sh").read_text().replace("communicator.py\n", "communicator.py dev\n", 1)
        (ours / "xvfb.sh").write_text(script)
        (plain / "Dockerfile").write_text(PLAIN)
        (plain / ".dockerignore").unlink()
        figures = {name: built_and_weighed(name, context) for name, context in (("ours", ours), ("plain", plain))}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in figures}
    for _ in range(arguments.runs):  # in turns, so that a busy minute of the machine is shared
        for name, each in times.items():
            each.append(started_and_stopped(f"hippo-benchmark-{name}"))
    for name, each in times.items():
        starts, stops = zip(*each, strict=True)
        figures[name] |= {"first_frame_s": statistics.median(starts), "stop_s": statistics.median(stops)}
        figures[name] |= {"runs": arguments.runs, "load": os.getloadavg()[1]}
        docker("image", "rm", "--force", f"hippo-benchmark-{name}")
    told(figures)
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def copy_of_the_project(folder: Path) -> None:
    """What a clone has, with a study that is only a game."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "config.yml").write_text(GAME)


def built_and_weighed(name: str, context: Path) -> dict[str, Any]:
    """Built without a cache, and again after a change of the agent."""
    image = f"hippo-benchmark-{name}"
    build_s = built(image, context, "--no-cache")
    with (context / "agent.py").open("a") as file:
        file.write("\n# changed\n")
    again_s = built(image, context)
    about = json.loads(docker("image", "inspect", image))[0]
    user = about["Config"]["User"] or "root"
    weights = {"size_mb": about["Size"] / 1e6, "packed_mb": packed_bytes(image) / 1e6}
    return weights | {"build_s": build_s, "rebuild_s": again_s, "user": user}


def packed_bytes(image: str) -> int:
    """About what a registry sends."""
    with (
        subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved,
        subprocess.Popen(["gzip", "-1"], stdin=saved.stdout, stdout=subprocess.PIPE) as packed,
    ):
        assert packed.stdout is not None
        size = 0
        while data := packed.stdout.read(2**20):
            size += len(data)
    return size


def built(image: str, context: Path, *words: str) -> float:
    """Seconds."""
    began_s = time.monotonic()
    docker("build", "--quiet", "-t", image, *network(), *words, str(context))
    return time.monotonic() - began_s


def started_and_stopped(image: str) -> tuple[float, float]:
    """Seconds from ``docker run`` to the first picture at a participant, and from ``docker stop`` to the end."""
    port, name = "5077", f"{image}-run"
    way = [*network(), "--env", f"PORT={port}"] if network() else ["--publish", f"{port}:5000"]
    began_s = time.monotonic()
    docker("run", "--detach", "--name", name, *way, image)
    try:
        asyncio.run(first_frame(f"ws://127.0.0.1:{port}/ws"))
        first_s = time.monotonic() - began_s
        began_s = time.monotonic()
        docker("stop", "-t", "120", name)
        return first_s, time.monotonic() - began_s
    finally:
        docker("rm", "--force", "--volumes", name)


async def first_frame(url: str) -> None:
    """Try until the server is there; then be a participant until a picture has come."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                async with connect(url, max_size=None) as socket:
                    await socket.send(
                        json.dumps({"userId": "benchmark", "projectId": "", "frameCount": 0, "frameId": 0})
                    )
                    await socket.send(json.dumps({"command": "start"}))
                    while '"frame"' not in str(await socket.recv()):
                        pass
                    return
            except (OSError, InvalidHandshake):
                await asyncio.sleep(0.05)


def told(figures: dict[str, dict[str, Any]]) -> None:
    rows = (
        ("size", "size_mb", "MB"), ("to be fetched (gzip -1)", "packed_mb", "MB"), ("first build", "build_s", "s"),
        ("build after a change of the agent", "rebuild_s", "s"), ("start to first picture", "first_frame_s", "s"),
        ("stop", "stop_s", "s"),
    )  # fmt: skip
    print(f"{'':36}{'ours':>12}{'the plain way':>16}")
    for words, key, unit in rows:
        print(f"{words:36}{figures['ours'][key]:>9.1f} {unit:2}{figures['plain'][key]:>13.1f} {unit}")
    print(f"{'runs as':36}{figures['ours']['user']:>12}{figures['plain']['user']:>16}")


def docker(*words: str) -> str:
    """The old builder, which every engine has. What docker says when it fails is shown."""
    settings = os.environ | {"DOCKER_BUILDKIT": "0"}
    ran = subprocess.run(["docker", *words], capture_output=True, text=True, env=settings, check=False)
    if ran.returncode:
        sys.stderr.write(ran.stdout + ran.stderr)
        raise SystemExit(f"docker {words[0]} failed")
    return ran.stdout.strip()


def network() -> list[str]:
    """An engine without a bridge shares the machine's network."""
    return [] if "bridge" in docker("network", "ls", "--format", "{{.Name}}").split() else ["--network=host"]


if __name__ == "__main__":
    sys.exit(main())
