"""Libraries that only an export needs: imported when it is asked for, and named when they are missing."""

import importlib
from typing import Any

from hippogym.errors import RecordError


def need(module: str) -> Any:
    """The module. RecordError, with what to type, where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        missing = (problem.name or module).partition(".")[0]
        raise RecordError(f"this needs the package {missing}: pip install 'hippogym[export]'") from problem
