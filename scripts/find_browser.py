"""Find Chromium for the browser tests; with --install, get it where that is possible.

Prints its path. Exit code 1 when there is none.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a Chromium: $CHROMIUM, or one that is on the PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Debian's package, where we may install it."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
        ended = subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False)
        if ended.returncode:
            sys.stderr.write(f"{' '.join(command)} failed with {ended.returncode}\n")
            return


def main() -> int:
    """Say where it is."""
    if find() is None and "--install" in sys.argv[1:]:
        install()
    path = find()
    print(path or "no Chromium here: the browser tests are left out, and fail where CI=true")
    return 0 if path or os.environ.get("CI") != "true" else 1


if __name__ == "__main__":
    sys.exit(main())
