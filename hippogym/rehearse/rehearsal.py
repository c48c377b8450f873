"""One rehearsal, from the study's folder to the findings."""

import argparse
import asyncio
import json
import os
import shutil
import ssl
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from hippogym.config import Study, load_study
from hippogym.config.study_pages import variants
from hippogym.core.study.forms import Form, read_form
from hippogym.core.study.way import OUTCOMES, build_way
from hippogym.data.terminal import console, messages
from hippogym.errors import StartError
from hippogym.rehearse.capacity import predict
from hippogym.rehearse.checks import GREEN, GREY, RED, Check, data_checks, server_check, way_checks
from hippogym.rehearse.confirming import Confirmation, confirm
from hippogym.rehearse.crowd import Crowd
from hippogym.rehearse.evidence import read_evidence
from hippogym.rehearse.findings import Findings, add_data, summarise
from hippogym.rehearse.plan import Person, Shares, make_plan
from hippogym.rehearse.playground import let_play
from hippogym.rehearse.progress import shown
from hippogym.rehearse.report import print_report
from hippogym.rehearse.server import RunningServer, allow_many_files, serving
from hippogym.rehearse.stage import Pages, Stage

PREVIEW = {"preview": "1"}  # a rehearsal on a server that participants use must not count


def rehearse(arguments: argparse.Namespace) -> Findings:
    """Rehearse, and print what was found. Raises ConfigError, StartError."""
    allow_many_files()
    if arguments.keep is not None and arguments.keep.exists():
        raise StartError(f"{arguments.keep} is there already; --keep makes a new folder")
    with tempfile.TemporaryDirectory(prefix="rehearsal-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            found = asyncio.run(Rehearsal(arguments, folder, messages()).run())
        finally:
            if arguments.keep is not None:
                shutil.copytree(folder, arguments.keep, symlinks=True, ignore=_only_files)
    print_report(found, console())
    if arguments.report is not None:
        arguments.report.write_text(json.dumps(found.as_json(), indent=1, default=str) + "\n", encoding="utf-8")
    return found


class Rehearsal:
    """folder: for everything that it makes."""

    def __init__(self, arguments: argparse.Namespace, folder: Path, progress: Console) -> None:
        self._asked = arguments
        self._folder = folder
        self._progress = progress
        self._study: Study | None = None
        if arguments.server is None or (arguments.study / "config.yml").exists():
            self._study = load_study(arguments.study)
        self._lines = folder / "lines"
        self._lines.mkdir()

    async def run(self) -> Findings:
        """All of it."""
        data = self._folder / "data"
        async with self._server(data) as (url, server):
            crowd = Crowd(self._stage(url), self._people(), server)
            async with shown(crowd, self._progress):
                await crowd.take_part()
            errors = server.errors() if server is not None else []
        found = self._summarise(crowd)
        stories = [bot.story for bot in crowd.bots]
        kinds = {} if self._study is None else code_kinds(self._study)
        found.checks += way_checks(stories, kinds)
        if server is None:
            found.checks.append(Check("the data", GREY, "they are where the server is; hippogym verify tells of them"))
        else:
            self._progress.print("checking what they have left …")
            evidence = await asyncio.to_thread(read_evidence, data)
            add_data(found, evidence, [*data_checks(stories, evidence, kinds), server_check(server.code, errors)])
        if self._asked.confirm and self._study is not None:
            await self._confirm(found, self._study)
        return found

    @asynccontextmanager
    async def _server(self, data: Path) -> AsyncIterator[tuple[str, RunningServer | None]]:
        if self._asked.server is not None:
            yield self._asked.server.rstrip("/"), None
            return
        self._progress.print("starting the study's server …")
        async with serving(self._asked.study.absolute(), data, self._folder) as server:
            yield server.url, server

    def _stage(self, url: str) -> Stage:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
            raise StartError(f"{url} is not a server's address such as https://study.example.org")
        secure = parts.scheme == "https"
        return Stage(
            url=url,
            host=parts.hostname,
            port=parts.port or (443 if secure else 80),
            tls=ssl.create_default_context() if secure else None,
            network=self._asked.network,
            lines=self._lines,
            link=PREVIEW if self._asked.server is not None else {},
            pages={} if self._study is None else pages_of(self._study),
            think_s=self._asked.think,
            play_s=self._asked.play or None,
            patience_s=self._asked.patience,
        )

    def _people(self) -> tuple[Person, ...]:
        asked = self._asked
        shares = Shares(asked.leave, asked.reload, asked.two_tabs, asked.careless)
        return make_plan(asked.participants, asked.arrivals, shares, asked.seed)

    def _summarise(self, crowd: Crowd) -> Findings:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        rates = [player.pulse.rate for player in crowd.players()]
        rate = max(rates, default=0.0)
        allowed = None if self._study is None else self._study.trial.maxParticipants
        prediction = predict(crowd.sampler.windows, cores)
        network = None if self._asked.network is None else str(self._asked.network)
        return summarise(crowd, prediction, rate, allowed, cores, network)

    async def _confirm(self, found: Findings, study: Study) -> None:
        self._progress.print("trying the prediction …")
        settings = study.trial_settings(*_first_game(study))
        attempt = partial(let_play, self._asked.study.absolute(), settings, self._folder)
        confirmed = await confirm(found.prediction, found.cores, attempt)
        found.prediction, found.confirmed = confirmed.prediction, confirmed.tried
        found.checks.append(confirmed_check(confirmed))


def pages_of(study: Study) -> Pages:
    """Each step's forms as the researcher wrote them, of all its variants, in every condition."""
    way = build_way(study.study_settings())
    pages: dict[str, list[Form]] = {}
    for step in (step for steps in way.steps.values() for step in steps if step.page is not None):
        for path in variants(study.path.parent, step.page or ""):
            pages.setdefault(step.name, []).append(read_form(path.read_text(encoding="utf-8-sig")))
    return pages


def code_kinds(study: Study) -> dict[str, str]:
    """From each outcome to its ending's code: signed, none, or a text."""
    way = build_way(study.study_settings())
    return {outcome: way.ending(outcome).code for outcome in OUTCOMES}


def _first_game(study: Study) -> tuple[Mapping[str, Any], ...]:
    """What the first game of the study's own way changes in the trial."""
    steps = build_way(study.study_settings()).steps_for(None)
    return tuple(step.trial for step in steps if step.is_game)[:1]


def confirmed_check(confirmed: Confirmation) -> Check:
    """Whether the prediction that stands in the end was tried, and is true."""
    said = confirmed.prediction.holds
    tried = "; ".join(f"{one.playing} {'hold' if one.holds else 'do not hold'}" for one in confirmed.tried)
    told = "nothing could be predicted" if said is None else f"{said} at once; tried: {tried or 'nothing'}"
    return Check("the prediction is confirmed", GREEN if confirmed.is_true else RED, told)


def _only_files(folder: str, names: list[str]) -> list[str]:
    """What is no file and no folder, such as a socket, is not kept."""
    kinds = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    return [name for name in names if not any(kind(os.lstat(Path(folder, name)).st_mode) for kind in kinds)]
