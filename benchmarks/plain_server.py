"""The reference: a server for agents and protocol v1 written the plain way, to be measured beside ours.

A process per participant, forked when the participant connects; a pipe that the server looks at every 10 ms; Pillow's
JPEG, as base64 in JSON, on a websocket that deflates; one message handled a tick; ``sleep(1 / rate)`` after the work;
records pickled into a buffered file. Correct where it must be for the comparison to be fair, and no more than that.

    python -m benchmarks.plain_server --study DIR --data DIR
"""

import argparse
import asyncio
import base64
import importlib.util
import io
import json
import multiprocessing
import os
import pickle
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from PIL import Image
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

POLL_S = 0.010
fork = multiprocessing.get_context("fork")


def load_agent(path: Path) -> ModuleType:
    """Import agent.py before any participant is there, so that the forks share what it imports."""
    spec = importlib.util.spec_from_file_location("agent", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Trial:
    """One participant's loop, in a process of its own."""

    def __init__(self, pipe: Connection, agent: ModuleType, settings: dict[str, Any], path: Path) -> None:
        self.pipe = pipe
        self.agent = agent
        self.settings = settings
        self.records = path.open("wb")
        self.playing = False
        self.over = False
        self.action = 0
        self.frame = 0
        self.message: dict[str, Any] = {}
        self.env = agent.start(settings["game"])

    def run(self) -> None:
        while "userId" not in self.message:
            self.message = json.loads(self.pipe.recv())
        self.pipe.send(json.dumps({"UI": [name for name, shown in self.settings["ui"].items() if shown]}))
        self.agent.reset(self.env)
        self.show()
        while not self.over:
            if self.pipe.poll():
                self.handle(json.loads(self.pipe.recv()))
            if self.playing:
                self.tick()
            time.sleep(1 / self.settings["startingFrameRate"])
        self.pipe.send("done")

    def handle(self, message: dict[str, Any]) -> None:
        self.message |= message
        command = str(message.get("command", "")).strip().lower()
        if command == "stop":
            self.over = True
        elif command in ("start", "pause"):
            self.playing = command == "start"
        elif command == "reset":
            self.agent.reset(self.env)
        elif "action" in message:
            names = self.settings["actionSpace"]
            self.action = names.index(message["action"]) if message["action"] in names else 0

    def tick(self) -> None:
        self.show()
        returned = self.agent.step(self.env, self.action)
        entry = returned if isinstance(returned, dict) else name_parts(returned)
        pickle.dump({**self.message, **entry}, self.records)
        self.message = {}
        if entry["done"]:
            self.agent.reset(self.env)

    def show(self) -> None:
        self.frame += 1
        jpeg = io.BytesIO()
        Image.fromarray(self.agent.render(self.env)).save(jpeg, format="JPEG")
        image = base64.b64encode(jpeg.getvalue()).decode()
        self.pipe.send(json.dumps({"frame": image, "frameId": self.frame}))


def name_parts(returned: tuple[Any, ...]) -> dict[str, Any]:
    observation, reward, *ends, info = returned
    return {"observation": observation, "reward": reward, "done": any(ends), "info": info}


def run_trial(pipe: Connection, agent: ModuleType, settings: dict[str, Any], path: Path) -> None:
    """What the forked process does: leave the server's signals to the server, then play."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Trial(pipe, agent, settings, path).run()


class Server:
    def __init__(self, agent: ModuleType, settings: dict[str, Any], records: Path) -> None:
        self.agent = agent
        self.settings = settings
        self.records = records
        self.joined = 0

    async def serve(self, address: str, port: int) -> None:
        """Listen until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with serve(self.take_part, address, port, compression="deflate") as listening:
            host, port = next(iter(listening.sockets)).getsockname()[:2]
            print(f"Play at ws://{host}:{port}/", flush=True)
            await stop.wait()

    async def take_part(self, socket: ServerConnection) -> None:
        """One participant, from the connection to its end."""
        self.joined += 1
        path = self.records / f"trial_{self.joined}"
        ours, theirs = fork.Pipe()
        process = fork.Process(target=run_trial, args=(theirs, self.agent, self.settings, path), daemon=True)
        process.start()
        theirs.close()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pass_in(socket, ours))
                tasks.create_task(pass_out(socket, ours))
        except* (ConnectionClosed, EOFError, OSError):
            pass  # one of the two has gone, and takes the other along
        finally:
            process.kill()  # SIGTERM would not do: SDL makes an event of it
            process.join()
            ours.close()


async def pass_in(socket: ServerConnection, pipe: Connection) -> None:
    async for message in socket:
        pipe.send(message)
    raise EOFError


async def pass_out(socket: ServerConnection, pipe: Connection) -> None:
    while True:
        while pipe.poll():
            await socket.send(pipe.recv())
        await asyncio.sleep(POLL_S)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_server")
    parser.add_argument("--study", type=Path, required=True, help="folder of config.yml and agent.py")
    parser.add_argument("--data", type=Path, required=True, help="folder for the records")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    arguments = parser.parse_args()
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    settings = yaml.safe_load((arguments.study / "config.yml").read_text())["trial"]
    arguments.data.mkdir(parents=True, exist_ok=True)
    server = Server(load_agent(arguments.study / "agent.py"), settings, arguments.data)
    asyncio.run(server.serve(arguments.address, arguments.port))


if __name__ == "__main__":
    main()
