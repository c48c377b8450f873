"""What all participants of a rehearsal share."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hippogym.core.study.forms import Form
from hippogym.rehearse.network import Network

Pages = Mapping[str, Sequence[Form]]
"""The pages as the researcher wrote them, with what is right: the step's name → one form, or one for each group."""


@dataclass(frozen=True)
class Stage:
    """Where everybody takes part, and how.

    url: of the server, without a slash at the end. network, lines: a bad line, and the folder for its sockets. link:
    parameters of the study's address, beside ``userId``. think_s: for a page, on average. play_s: after so long in a
    game they press Stop; None: they play to its end. patience_s: for how long they wait for a place.
    """

    url: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    network: Network | None = None
    lines: Path = Path()
    link: Mapping[str, str] = field(default_factory=dict)
    pages: Pages = field(default_factory=dict)
    think_s: float = 3.0
    play_s: float | None = 60.0
    patience_s: float = 1800.0
