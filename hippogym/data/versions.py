"""Which software made a record: without it nobody can replay one."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("gymnasium", "ale-py", "numpy", "simplejpeg", "pygame-ce", "Box2D", "mujoco", "gym")


def versions(hippogym: str) -> dict[str, str]:
    """Versions of Python, of us, and of what is installed of the packages that environments are made of."""
    found = {"python": platform.python_version(), "hippogym": hippogym}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
