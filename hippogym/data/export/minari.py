"""A Minari dataset: what ``minari.load_dataset`` loads, for offline learning and imitation. Needs minari and h5py.

Per episode T + 1 observations, T actions, rewards, terminations and truncations, the seed, and infos of T + 1, of which
the first belongs to the reset and number t + 1 to step t, as with Minari's own collector. ``infos["human"]`` has the
columns about the participant. Images are stored as they were, not as JPEG.
"""

import json
import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from hippogym.data.episodes import Episode, assemble
from hippogym.data.export.minari_infos import clean, infos_of
from hippogym.data.export.minari_spaces import Coding, checked_id, choose_coding, dataset_id
from hippogym.data.export.optional import need
from hippogym.data.export.options import Options
from hippogym.data.export.rows import Counts
from hippogym.data.ticks import Part
from hippogym.errors import RecordError

SUFFIX = ""  # a folder: the one that MINARI_DATASETS_PATH names

_ROOT = "MINARI_DATASETS_PATH"
_AT_ONCE = 32  # episodes while the file is open
_NAMESPACE = "namespace_metadata.json"
_DESCRIPTION = "Episodes played by people in HIPPO Gym. infos['human'] tells what they saw and did, and when."


def write(parts: Iterable[Part], path: Path, options: Options) -> Counts:
    """Write a dataset of these episodes below the empty folder ``path``. RecordError where none can be exported."""
    minari = need("minari")
    need("h5py")
    selection = _Selection(assemble(parts), options)
    first = next(selection, None)
    if first is None:
        raise RecordError("; ".join(["there is no episode that could be exported", *selection.reasons()]))
    coding = choose_coding(first, options.note)
    name = dataset_id(first.game) if options.dataset is None else checked_id(options.dataset)
    if (path.parent / name).exists():
        raise RecordError(f"there is a dataset {name} already: choose another with --dataset")
    counts = Counts()
    with tempfile.TemporaryFile("w+") as about, _datasets_in(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what Minari would like to know, and nobody here can tell
        buffers = _buffers(chain([first], selection), coding, selection, counts, about)
        try:
            dataset = minari.create_dataset_from_buffers(
                name,
                islice(buffers, _AT_ONCE),  # it takes one after the other, so that one is in memory at a time
                env=coding.env_spec,
                observation_space=coding.observation_space,
                action_space=coding.action_space,
                algorithm_name="human",
                description=_DESCRIPTION,
                jpeg_encoding=False,
            )
            while (before := counts.episodes) % _AT_ONCE == 0 and before:
                dataset.storage.update_episodes(islice(buffers, _AT_ONCE))
                if counts.episodes == before:
                    break
        except (TypeError, NotImplementedError) as problem:
            raise RecordError(f"Minari cannot write this as {name}: {problem}") from problem
        about.seek(0)
        for numbers in _batches(counts.episodes):
            dataset.storage.update_episode_metadata(map(json.loads, islice(about, len(numbers))), numbers)
    for reason in selection.reasons():
        options.note(reason)
    return counts


def recount(path: Path, options: Options) -> Counts:
    """What the dataset holds, from loading it again; RecordError where an episode does not fit together."""
    minari = need("minari")
    counts = Counts()
    with _datasets_in(path):
        (name,) = minari.list_local_datasets()
        dataset = minari.load_dataset(name)
        for numbers in _batches(dataset.total_episodes):
            for episode in dataset.iterate_episodes(numbers):
                ticks = len(episode.rewards)
                if _count(episode.observations) != ticks + 1 or _count(episode.actions) != ticks:
                    raise RecordError(f"episode {episode.id} of the dataset does not fit together")
                counts.episodes += 1
                counts.ticks += ticks
        if (counts.episodes, counts.ticks) != (dataset.total_episodes, dataset.total_steps):
            raise RecordError("the dataset does not hold what it says")
    return counts


def place(path: Path, out: Path) -> Path:
    """Move the dataset from the folder where it was made to its place below ``out``. Returns its folder."""
    (found,) = (data.parent for data in path.rglob("data") if (data / "metadata.json").exists())
    name = found.relative_to(path)
    for namespace in [folder for folder in name.parents if folder.name]:
        (out / namespace).mkdir(parents=True, exist_ok=True)
        if not (out / namespace / _NAMESPACE).exists() and (path / namespace / _NAMESPACE).exists():
            shutil.copyfile(path / namespace / _NAMESPACE, out / namespace / _NAMESPACE)
    found.chmod(0o700)
    os.rename(found, out / name)
    return out / name


def default_out() -> Path:
    """Where Minari itself keeps its datasets."""
    return Path(os.environ.get(_ROOT) or Path.home() / ".minari" / "datasets")


def _batches(episodes: int) -> Iterator[range]:
    """HDF5 keeps something of every dataset it has touched until the file is closed; so it is, now and then."""
    for start in range(0, episodes, _AT_ONCE):
        yield range(start, min(start + _AT_ONCE, episodes))


@contextmanager
def _datasets_in(folder: Path) -> Iterator[None]:
    """Minari reads from the environment where its datasets are."""
    before = os.environ.get(_ROOT)
    os.environ[_ROOT] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(_ROOT)
        if before is not None:
            os.environ[_ROOT] = before


class _Selection:
    """The episodes that can be exported: one game, an observation to begin from, actions, no gap."""

    def __init__(self, episodes: Iterator[Episode], options: Options) -> None:
        self._episodes = episodes
        self._game: str | None = options.game
        self._left_out: Counter[str] = Counter()
        self._kept = 0

    def __iter__(self) -> Iterator[Episode]:
        return self

    def __next__(self) -> Episode:
        for episode in self._episodes:
            problem = self._problem(episode)
            if problem is None:
                self._kept += 1
                return episode
            self.leave_out(problem)
        raise StopIteration

    def leave_out(self, problem: str) -> None:
        self._left_out[problem] += 1

    def reasons(self) -> list[str]:
        """What was left out, as sentences."""
        return [f"{count} episodes were left out: {problem}" for problem, count in self._left_out.items()]

    def _problem(self, episode: Episode) -> str | None:
        if len(episode) == 0:
            return "they have no ticks"
        if episode.actions is None:
            return "the first HIPPO Gym did not keep which actions were applied"
        if episode.head.observation is None:
            return "the observation that they began from is missing"
        if episode.ticks[0] != 1:
            return "their first ticks are missing"
        if self._kept == 0 and self._game is None:
            self._game = episode.game
        if episode.game != self._game:
            return f"they are of the game {clean(str(episode.game))[:80]} (export it by itself with --game)"
        return None


def _buffers(
    episodes: Iterable[Episode], coding: Coding, selection: _Selection, counts: Counts, about: IO[str]
) -> Iterator[Any]:
    """The episodes as Minari takes them; a line about each goes to ``about``."""
    buffer = need("minari.data_collector").EpisodeBuffer
    for episode in episodes:
        ticks = _until_first_gap(episode)
        if ticks < len(episode):
            selection.leave_out("only ticks after a damaged place; what stands before it was exported")
        try:
            observations = coding.observations(episode, ticks)
            actions = coding.actions(episode, ticks)
        except ValueError as problem:
            selection.leave_out(f"they do not fit the dataset's spaces ({problem})")
            continue
        truncations = episode.truncated[:ticks].copy()
        cut = not (truncations[-1] or episode.terminated[ticks - 1])
        truncations[-1] |= cut  # every episode ends somewhere; ``reason`` says how
        about.write(json.dumps(_about(episode, ticks, bool(cut))) + "\n")
        counts.episodes += 1
        counts.ticks += ticks
        yield buffer(
            id=None,
            seed=episode.seed,
            observations=observations,
            actions=actions,
            rewards=episode.rewards[:ticks],
            terminations=episode.terminated[:ticks],
            truncations=truncations,
            infos=infos_of(episode, ticks),
        )


def _until_first_gap(episode: Episode) -> int:
    gaps = np.flatnonzero(episode.ticks != np.arange(1, len(episode) + 1))
    return int(gaps[0]) if gaps.size else len(episode)


def _about(episode: Episode, ticks: int, cut: bool) -> dict[str, Any]:
    """The metadata of an episode. cut: neither terminated nor truncated by the environment."""
    told = {
        "source": episode.head.source,
        "project": episode.head.project,
        "game": episode.game,
        "trial": episode.trial,
        "participant": episode.participant,
        "condition": episode.head.condition,
        "episode": episode.number,
        "reason": episode.reason if ticks == len(episode) else "damaged",
        "cut": cut,
        "verified": episode.verified,
    }
    return {name: clean(value) if type(value) is str else value for name, value in told.items() if value is not None}


def _count(values: Any) -> int:
    while isinstance(values, dict | tuple):
        values = next(iter(values.values() if isinstance(values, dict) else values))
    return len(values)
