"""The tables of docs/config.md, made from the schema: ``python -m hippogym.config.table docs/config.md`` renews them.

A table stands between two lines of the page, ``<!-- settings: trial -->`` and ``<!-- end -->``.
"""

import re
import sys
from pathlib import Path

from hippogym.config.schema import SETTINGS, Setting

_HEAD = "| key | value | default | meaning | example |\n|---|---|---|---|---|\n"
_BLOCK = re.compile(r"(<!-- settings: ([\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(section: str) -> str:
    """The rows of the settings that stand directly in ``section``, such as ``project.ssl``."""
    rows = [s for s in SETTINGS if s.section is None and ".".join(s.path[:-1]) == section]
    if not rows:
        raise ValueError(f"{section} has no settings of its own")
    return _HEAD + "".join(_row(setting) for setting in rows)


def with_tables(page: str) -> str:
    """The page with every table as the schema has it now."""
    return _BLOCK.sub(lambda block: block[1] + table(block[2]) + block[3], page)


def _row(setting: Setting) -> str:
    cells = (
        f"`{setting.dotted}`", setting.expected, setting.shown_default, setting.meaning, f"`{setting.example}`"
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |\n"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text("utf-8")), "utf-8")
