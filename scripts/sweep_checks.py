"""Holds the record of a trial against what its participant said and saw, and against the environment's actions."""

import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium

from hippogym.live.environment_facts import to_env_action


class Record:
    """What is in a trial's folder. files: one for each episode; blocks: what is ours of every entry, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = sorted(folder.glob("*.pkl"))
        self.blocks = [entry["hippogym"] for file in self.files for entry in plain_loop(file)]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Those of one kind: reset, tick, event or end."""
        return [block for block in self.blocks if block["kind"] == kind]

    def problems(
        self,
        said: list[dict[str, Any]],
        seen: dict[int, str],
        space: gymnasium.Space[Any],
        *,
        ticks: int,
        turns: bool,
    ) -> list[str]:
        """Everything that is not as it must be, in sentences.

        said: every message of the participant, in order. seen: the SHA-256 of every frame. ticks: how many there must
        be at least. turns: whether the environment waited for its participant.
        """
        found = [*self._files(), *self._inputs(said), *self._frames(seen), *self._actions(space, turns)]
        if len(self.of_kind("tick")) < ticks:
            found.append(f"only {len(self.of_kind('tick'))} ticks are in the record")
        return found

    def _files(self) -> Iterator[str]:
        """Every file is closed, whole, and made of plain values."""
        if not self.files or any(self.folder.glob("*.part")):
            yield "a record is not closed"
        for file in self.files:
            beside = file.with_suffix(".json")
            manifest = json.loads(beside.read_text()) if beside.exists() else {}
            if not manifest.get("complete") or manifest["sha256"] != hashlib.sha256(file.read_bytes()).hexdigest():
                yield f"{file.name} is not what its manifest says"
            elif manifest["oddities"]:
                yield f"{file.name} holds values that are not plain: {manifest['oddities']}"

    def _inputs(self, said: list[dict[str, Any]]) -> Iterator[str]:
        kept = [given["message"] for block in self.blocks for given in block["inputs"]]
        if kept != said:
            yield f"{len(said)} messages were sent, but {len(kept)} are in the record, or others, or in another order"

    def _frames(self, seen: dict[int, str]) -> Iterator[str]:
        kept = {block["frame"]["id"]: block["frame"]["sha256"] for block in self.blocks if block.get("frame")}
        lost = [frame for frame, sha256 in seen.items() if kept.get(frame) != sha256]
        if lost:
            yield f"{len(lost)} frames that were seen are not in the record"

    def _actions(self, space: gymnasium.Space[Any], turns: bool) -> Iterator[str]:
        """Every action that was applied is one of the environment's, and keys made a difference."""
        applied = [tick["action"] for tick in self.of_kind("tick")]
        strange = {repr(one["value"]) for one in applied if not space.contains(to_env_action(one["value"], space))}
        if strange:
            yield f"actions that are not in {space}: {', '.join(sorted(strange)[:3])}"
        origins = {one["origin"] for one in applied}
        if not origins & {"held", "buffered"} or (turns and "default" in origins):
            yield f"the keys did not drive it: its actions were {', '.join(sorted(origins)) or 'none'}"


def plain_loop(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of a file, as any researcher reads them."""
    with path.open("rb") as file:
        while True:
            try:
                yield pickle.load(file)  # noqa: S301 - written a second ago by our own trial
            except EOFError:
                return
