"""Whose pages may connect. Exact matches only: no suffixes, no wildcards, no ``null``."""

from urllib.parse import urlsplit

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def may_connect(origin: str | None, *, host: str, secure: bool, listed: frozenset[str], dev: bool, v2: bool) -> bool:
    """Whether a websocket handshake with this Origin header is welcome.

    host: the Host header; secure: whether the connection has TLS; listed: ``project.origins``. In ``dev`` pages
    from this machine and clients without an Origin (scripts) are welcome too; otherwise a v1 client's origin must
    be listed, and a v2 client's listed or our own.
    """
    if origin is None:
        return dev
    if origin in listed:
        return True
    if dev and _is_local(origin):
        return True
    own = f"{'https' if secure else 'http'}://{host}"
    return origin == own and (_of_this_network(origin) if dev else v2)


def _of_this_network(origin: str) -> bool:
    """Whether a host can only be meant by name or address of the network one is in.

    In ``dev`` a Host header is not to be believed: a page of a stranger's domain, which can be made to point to this
    machine, would be its own origin. Domains have a dot; addresses, and names without one, are nobody else's.
    """
    name = urlsplit(origin).hostname or ""
    return "." not in name or name.endswith(".local") or name.replace(".", "").isdigit() or ":" in name


def _is_local(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        name, _ = parts.hostname, parts.port  # an impossible port raises
    except ValueError:
        return False
    bare = not (parts.path or parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and name in LOCAL and bare and origin.lower() == origin
