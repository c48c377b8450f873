"""What a trial's process does before it is a trial: leave the server's group, die with it, forget its secrets."""

import ctypes
import os
import resource
import signal
from multiprocessing import forkserver
from typing import Any

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from malloc.h
KEPT_BYTES, LARGEST_BYTES = 16 * 2**20, 8 * 2**20
SECRETS = ("AWS_", "HIPPOGYM_")


def settle_in() -> None:
    """Make this process one that ends with the server, alone, and without a core dump."""
    parent = os.getppid()
    os.setsid()  # Ctrl-C in the terminal is for the server, which tells us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    let_the_fork_server_die()
    die_with_parent()
    keep_freed_memory()
    if os.getppid() != parent:  # it died before we asked to be told
        os._exit(1)
    for name in list(os.environ):
        if name.startswith(SECRETS):
            del os.environ[name]


def let_the_fork_server_die() -> None:
    """Close our end of the pipe that keeps the fork server alive.

    Every process from it holds one, so that it could ask for more processes; while any is open the fork server
    outlives the server, and we with it.
    """
    state: Any = forkserver._forkserver  # there is no public way
    descriptor = getattr(state, "_forkserver_alive_fd", None)
    if descriptor is not None:
        os.close(descriptor)
        state._forkserver_alive_fd = None


def die_with_parent() -> None:
    """Linux: be killed when the fork server, which dies with the server, is gone. Elsewhere EOF has to do."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return


def keep_freed_memory() -> None:
    """glibc: what a tick has freed, up to 16 MiB, is kept for the next tick, which needs as much.

    Otherwise buffers of a megabyte (observations, frames, their records) are given back to the kernel and fetched anew,
    page by page, in every tick; that made the recording of such a tick two to three times as long.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)
    except (OSError, AttributeError):
        return
