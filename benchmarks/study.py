"""The study that both servers are given: a temporary folder with config.yml and an agent.py."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
FLASH_AGENT = REPOSITORY / "benchmarks" / "agents" / "flash" / "agent.py"
FLASH_GAME = "ALE/MsPacman-v5"


@dataclass(frozen=True)
class Game:
    """actions: the names in the environment's order. pressed: (action, key) in the order in which they are held."""

    actions: tuple[str, ...]
    pressed: tuple[tuple[str, str], ...]


LEFT, RIGHT, UP, DOWN = (("left", "ArrowLeft"), ("right", "ArrowRight"), ("up", "ArrowUp"), ("down", "ArrowDown"))
PACMAN = ("noop", "up", "right", "left", "down", "upright", "upleft", "downright", "downleft")
GAMES = {
    "CartPole-v1": Game(("left", "right"), (LEFT, RIGHT)),
    "ALE/MsPacman-v5": Game(PACMAN, (LEFT, UP, RIGHT, DOWN)),
}
FLASH = Game(("noop", "flash"), (("flash", "Space"),))


def make_study(folder: Path, name: str, game: Game, agent: Path, participants: int, rate: float) -> None:
    """Write the study. rate: frames a second asked for. JPEG quality 75 is what Pillow takes where nothing is said."""
    trial: dict[str, Any] = {
        "game": name,
        "actionSpace": list(game.actions),
        "keys": {key: action for action, key in game.pressed},
        "maxEpisodes": 1_000_000,
        "startingFrameRate": rate,
        "jpegQuality": 75,
        "maxParticipants": participants + 1,
        "episodePause": 1 / rate,  # a tick, like any other: how steady play is, not how long its pauses are
        "reconnectGrace": 1,
        "stepTimeout": 60,  # on a busy machine, too, a measurement goes on
        "ui": dict.fromkeys(["left", "right", "up", "down", "start", "pause", "stop", "reset"], True),
    }
    config = {"project": {"id": "benchmark", "useAWS": False}, "trial": trial}
    (folder / "config.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    shutil.copy(agent, folder / "agent.py")
