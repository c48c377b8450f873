"""What a trial's process does before it is a trial: leave the server's group, die with it, forget its secrets."""

import ctypes
import os
import resource
import signal

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
SECRETS = ("AWS_", "HIPPOGYM_")


def settle_in() -> None:
    """Make this process one that ends with the server, alone, and without a core dump."""
    parent = os.getppid()
    os.setsid()  # Ctrl-C in the terminal is for the server, which tells us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    die_with_parent()
    if os.getppid() != parent:  # it died before we asked to be told
        os._exit(1)
    for name in list(os.environ):
        if name.startswith(SECRETS):
            del os.environ[name]


def die_with_parent() -> None:
    """Linux: be killed when the fork server, which dies with the server, is gone. Elsewhere EOF has to do."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
