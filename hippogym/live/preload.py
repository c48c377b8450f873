"""Imported by the fork server: what every trial needs is loaded once and shared by all of them.

Modules only. Importing has no side effect that a process must not share: no environment is made, no display opened.
"""

import gc
import importlib
import os
import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)  # told to the server, which ends its trials in order
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

for name in (
    "numpy",
    "simplejpeg",
    "hippogym.core.entries",
    "hippogym.data.recorder",
    "gymnasium",
    "ale_py",
    "pygame",
    "Box2D",
):
    try:
        importlib.import_module(name)
    except (ImportError, OSError):
        continue  # an environment package that is not installed, or lacks a library of the system

gc.freeze()
