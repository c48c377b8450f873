"""Loads the study's agent.py and calls its functions: whatever happens in there comes out as an AgentError.

An agent is either a module with start(game), step(env, action), render(env), reset(env), close(env), or a module with a
class ``Agent`` whose methods are the same without ``env``. Three more are used where they exist: message(env, message),
display(env), and participant(about), which is called before start. Everything here blocks as long as the agent does.
"""

import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from hippogym.core.actions import EnvFacts
from hippogym.core.env_facts import Value
from hippogym.errors import AgentError
from hippogym.live.agent_results import Frame, ResetResult, StepResult, read_display, read_frame, read_reset, read_step
from hippogym.live.environment_facts import read_facts, to_env_action
from hippogym.live.faster_pixels import use_faster_pixels
from hippogym.live.observed_reset import observe_reset, takes

ARGUMENTS = {"start": ("game",), "step": ("action",), "render": (), "reset": (), "close": ()}
OPTIONAL = {"message": ("message",), "display": (), "participant": ("about",)}
BEFORE_ENV = ("start", "participant")  # there is no environment yet that they could be given


class Agent:
    """One agent and its environment, for one trial. Every method may raise AgentError, and nothing else.

    game: what start() was given, None before.
    """

    def __init__(self, path: Path, module: ModuleType, kind: type | None) -> None:
        self.game: str | None = None
        self._env: Any = None
        self.has_message = callable(getattr(kind or module, "message", None))
        self.has_display = callable(getattr(kind or module, "display", None))
        self._has_participant = callable(getattr(kind or module, "participant", None))
        self._path = path
        self._owner: Any = module
        self._kind = kind
        self._started = False

    def meet(self, about: dict[str, Any]) -> None:
        """Tells the agent who will play, before there is an environment: participant(about), if it has it.

        about: ``condition`` (name or None), ``parameters`` (the condition's, a dict), ``step`` and ``trial``.
        """
        if self._has_participant:
            with self._guard("participant"):
                self._make()
                self._owner.participant(about)

    def start(self, game: str) -> None:
        """Makes the environment: start(game)."""
        self.game = game
        with self._guard("start"):
            self._make()
            self._env = self._owner.start(game)
            self._started = True
        _help_old_gym()
        use_faster_pixels()

    def _make(self) -> None:
        """An Agent of its own for this trial, where the agent is a class."""
        if self._kind is not None and not isinstance(self._owner, self._kind):
            self._owner = self._kind()

    @property
    def env(self) -> Any:
        """The environment: what start() returned, else what the agent keeps as its ``env``, else None."""
        return self._env if self._env is not None else getattr(self._owner, "env", None)

    def reset(self, seed: int | None) -> ResetResult:
        """A new episode: reset(env), with ``seed`` where it takes one.

        Without it, the seed is added to the reset of the environment itself, where that takes one.
        """
        takes_seed = takes(self._owner.reset, "seed")
        with self._guard("reset"), observe_reset(self.env, None if takes_seed else seed) as observed:
            returned = self._call("reset", **({"seed": seed} if takes_seed else {}))
            seed_used = takes_seed or (observed is not None and observed.seed_used)
            observation, info = read_reset(returned, observed.result if observed else None, self.env)
        return ResetResult(observation, info, seed is not None and seed_used)

    def step(self, action: Value) -> StepResult:
        """One step: step(env, action). action: a value of the action table; the agent gets it as its space wants it."""
        with self._guard("step"):
            return read_step(self._call("step", to_env_action(action, getattr(self.env, "action_space", None))))

    def render(self) -> Frame:
        """What the participant is to see: render(env), as a C-contiguous uint8 array (height, width, 3)."""
        with self._guard("render"):
            return read_frame(self._call("render"))

    def message(self, message: dict[str, Any]) -> None:
        """Tells the agent a message of the participant: message(env, message), if it has it."""
        if self.has_message:
            with self._guard("message"):
                self._call("message", message)

    def display(self) -> dict[str, Any] | None:
        """What the page is to show beside the game: display(env), None if there is nothing or no such function.

        Texts and plain numbers; under ``wire`` a dict of JSON values for clients that know more (docs/protocol.md).
        """
        if not self.has_display:
            return None
        with self._guard("display"):
            return read_display(self._call("display"))

    def close(self) -> None:
        """Ends the trial: close(env). Does nothing before start() and after the first call."""
        if self._started:
            self._started = False
            with self._guard("close"):
                self._call("close")

    def facts(self) -> EnvFacts:
        """What the environment says of itself; never raises. Needs start()."""
        return read_facts(self.env)

    def _call(self, hook: str, *args: Any, **kwargs: Any) -> Any:
        function = getattr(self._owner, hook)
        return function(*args, **kwargs) if self._kind is not None else function(self._env, *args, **kwargs)

    def _guard(self, hook: str) -> AbstractContextManager[None]:
        return _guard(hook, self._path)


def load_agent(path: Path) -> Agent:
    """Loads an agent from its file. Its folder comes first in sys.path, so that it can import its neighbours.

    Raises AgentError("load") when the file cannot be read or run, and when functions are missing or unusable.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise AgentError("load", f"there is no file {path}: every study has an agent, five functions in an agent.py")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = _run(path)
    _help_old_gym()
    kind = _agent_class(module)
    problems = _problems(kind or module, f"class Agent of {path.name}" if kind else path.name)
    if problems:
        raise AgentError("load", "; ".join(problems))
    return Agent(path, module, kind)


def _run(path: Path) -> ModuleType:
    """Runs the file as a module under a name of its own, which nothing else can have imported before."""
    name = f"hippogym_study_{path.stem}_{hashlib.sha256(bytes(path)).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AgentError("load", f"{path} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _guard("load", path):
            spec.loader.exec_module(module)
    except AgentError:
        del sys.modules[name]
        raise
    return module


def _agent_class(module: ModuleType) -> type | None:
    """The class Agent, unless the module has all the functions: then a class of that name is something else."""
    kind = getattr(module, "Agent", None)
    complete = all(callable(getattr(module, hook, None)) for hook in ARGUMENTS)
    return kind if isinstance(kind, type) and not complete else None


def _problems(owner: Any, where: str) -> list[str]:
    """What the functions of an agent lack, as sentences."""
    missing = [hook for hook in ARGUMENTS if not callable(getattr(owner, hook, None))]
    if missing:
        listed = " and ".join(f"no {hook}()" for hook in missing)
        return [f"{where} has {listed}: every agent needs start, step, render, reset and close"]
    present = [hook for hook in (*ARGUMENTS, *OPTIONAL) if hasattr(owner, hook)]
    return [problem for hook in present if (problem := _signature_problem(owner, hook, where))]


def _signature_problem(owner: Any, hook: str, where: str) -> str | None:
    function = inspect.getattr_static(owner, hook)
    if not inspect.isfunction(function):
        return None  # a callable of another kind: that it can be called is all that can be known
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        return f"{where}: {hook}() must be a plain function, without async and without yield"
    first = ("self",) if isinstance(owner, type) else () if hook in BEFORE_ENV else ("env",)
    wanted = (*first, *({**ARGUMENTS, **OPTIONAL}[hook]))
    by_name = {"seed": None} if hook == "reset" and takes(function, "seed") else {}
    try:
        inspect.signature(function).bind(*wanted, **by_name)
    except TypeError:
        return f"{where}: {hook}{inspect.signature(function)} should be {hook}({', '.join(wanted)})"
    return None


@contextmanager
def _guard(hook: str, path: Path) -> Iterator[None]:
    """Turns whatever the researcher's code raises into an AgentError that says where; sys.exit() there ends nothing."""
    try:
        yield
    except AgentError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        raise AgentError(hook, _sentence(hook, error, path)) from error


def _sentence(hook: str, error: BaseException, path: Path) -> str:
    """Which function raised what, and the last line of the agent's own file on the way there."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path) and error.lineno:
        lines = [error.lineno]
    where = f"{path.name} line {lines[-1]}" if lines else path.name
    what = "loading it" if hook == "load" else f"{hook}()"
    return f"{where}: {what} raised {''.join(traceback.format_exception_only(error)[-1:]).strip()[:1000]}"


def _help_old_gym() -> None:
    """gym 0.26 checks every step against a name that NumPy 2 has no longer; without it, no environment of gym steps."""
    if "gym" in sys.modules and not hasattr(np, "bool8"):
        np.bool8 = np.bool_  # type: ignore[attr-defined]  # numpy 2 has it no more
