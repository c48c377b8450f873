"""The imports point one way (ARCHITECTURE.md). Read from the source, so that nothing has to be run for it."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("core", "live", "data", "pages", "deploy")
SHARED = ("config", "errors", "logs")
JOINS = {
    "live": ("bookkeeping",),
    "replay": ("live", "data", "pages"),
    "rehearse": ("live", "data", "pages"),
    "assembly": ("live", "data", "pages", "deploy", "bookkeeping"),
}  # what joins parts, as the top does; nobody but the top imports it
TOP = ("communicator", "get_ssl_certs", "trial", "updateProject", "agent", "hippogym.cli", "hippogym.__main__")
FILES = sorted((ROOT / "hippogym").rglob("*.py"))
NOT_IN_CORE = {
    "asyncio", "threading", "multiprocessing", "socket", "select", "selectors", "time", "subprocess", "os", "pathlib",
    "signal", "random", "secrets", "tempfile", "shutil", "queue", "concurrent", "sched", "datetime",
}  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which way they point"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" if module == "hippogym" else module for alias in node.names)


def part_of(path: Path) -> str:
    """core, live, data, pages, deploy, config, … for a file of the package."""
    return path.relative_to(ROOT / "hippogym").parts[0].removesuffix(".py")


def wrong_arrow(importer: str, imported: str) -> bool:
    """Whether the part ``importer`` must not import the module ``imported``."""
    top, _, rest = imported.partition(".")
    if importer in ("cli", "__main__"):
        return False
    if top in TOP or imported in TOP:
        return True
    if top != "hippogym":
        return False
    target = rest.split(".")[0]
    allowed = {importer, "core", *SHARED} if importer in PARTS else {importer, *SHARED, "core"}
    allowed |= set(JOINS.get(importer, ()))
    if importer == "core":
        allowed = {"core"}
    return bool(target) and target not in allowed and target != "__version__"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    wrong = [module for module in imports(path) if wrong_arrow(part_of(path), module)]
    assert not wrong, f"{path.relative_to(ROOT)} must not import {wrong}"


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) == "core"], ids=lambda path: path.name)
def test_core_is_told_and_never_asks(path: Path) -> None:
    allowed = (sys.stdlib_module_names - NOT_IN_CORE) | {"numpy", "hippogym"}
    foreign = {module.split(".")[0] for module in imports(path)} - allowed
    assert not foreign, f"{path.name} imports {foreign}: core has no I/O, no clock, no event loop, no threads"


@pytest.mark.parametrize(
    ("importer", "imported", "wrong"),
    [
        ("core", "hippogym.errors", True),
        ("core", "hippogym.live.session", True),
        ("live", "hippogym.data.recorder", True),
        ("data", "hippogym.live.session", True),
        ("pages", "hippogym.live.session", True),
        ("live", "trial", True),
        ("data", "hippogym.cli", True),
        ("live", "hippogym.core.packets", False),
        ("live", "hippogym.errors", False),
        ("cli", "trial", False),
        ("replay", "hippogym.live.agent", False),
        ("replay", "trial", True),
        ("live", "hippogym.replay.episode", True),
        ("data", "hippogym.replay.episode", True),
        ("rehearse", "hippogym.data.verify", False),
        ("pages", "hippogym.rehearse.bot", True),
    ],
)
def test_an_arrow_that_points_the_wrong_way_is_seen(importer: str, imported: str, wrong: bool) -> None:
    assert wrong_arrow(importer, imported) is wrong


def test_the_trials_process_does_not_load_what_only_the_server_needs() -> None:
    """It is started for every participant; pydantic, Starlette and uvicorn would cost each one of them memory."""
    import subprocess

    code = "import sys, trial; print(sorted({'pydantic', 'starlette', 'uvicorn', 'boto3', 'yaml'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
