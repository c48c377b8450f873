"""What a .dockerignore leaves out, by the rules that docker itself follows; so that we know what gets into an image.

The last pattern that matches a path, or a folder above it, decides; ``!`` takes back in.
Rules: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

import posixpath
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    """One line of the file."""

    matches: re.Pattern[str]
    takes_in: bool


class IgnoreRules:
    """The patterns of a .dockerignore, asked about paths below the folder it stands in."""

    def __init__(self, text: str) -> None:
        self._patterns = [pattern for line in text.splitlines() if (pattern := _pattern(line)) is not None]

    def leaves_out(self, path: str) -> bool:
        """path: of a file, with slashes, relative to the folder."""
        ways = [path]
        while (above := posixpath.dirname(ways[-1])) != "":
            ways.append(above)
        out = False
        for pattern in self._patterns:
            if pattern.takes_in == out and any(pattern.matches.fullmatch(way) for way in ways):
                out = not pattern.takes_in
        return out


def _pattern(line: str) -> Pattern | None:
    line = line.lstrip("\ufeff")
    if line.startswith("#") or not line.strip():
        return None
    line = line.strip()
    takes_in = line.startswith("!")
    cleaned = posixpath.normpath(line.removeprefix("!").strip()).lstrip("/")
    return None if cleaned in (".", "") else Pattern(re.compile(_regex(cleaned), re.DOTALL), takes_in)


_WORDS = re.compile(r"\*\*/?|\*|\?|\[[^\]]+\]|\\.|.", re.DOTALL)


def _regex(pattern: str) -> str:
    parts = []
    for word in _WORDS.findall(pattern):
        if word == "**/":
            parts.append("(?:.*/)?")
        elif word == "**":
            parts.append(".*")
        elif word == "*":
            parts.append("[^/]*")
        elif word == "?":
            parts.append("[^/]")
        elif word[0] == "[" and len(word) > 1:
            parts.append(word)
        else:
            parts.append(re.escape(word[-1]))
    return "".join(parts)
