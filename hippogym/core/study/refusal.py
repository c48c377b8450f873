"""Why somebody is not served: something to answer with, for whoever stands at the door."""


class Refusal(Exception):
    """code: for programs (``unknown``, ``done``, ``elsewhere``, ``too_large``, ``too_many``). text: a sentence for the
    participant. status: the HTTP status that says the same."""

    def __init__(self, code: str, text: str, status: int) -> None:
        super().__init__(code)
        self.code, self.text, self.status = code, text, status


def unknown() -> Refusal:
    """No visit goes with this token."""
    return Refusal("unknown", "This visit is not known here. Please open your link again.", 401)


def done() -> Refusal:
    """This participant's visit is over."""
    return Refusal("done", "You have taken part in this study already. Thank you!", 403)


def elsewhere() -> Refusal:
    """This participant is here already, and was heard of just now."""
    return Refusal(
        "elsewhere",
        "You have this study open in another browser or on another device. Please go on there; or close it, wait two "
        "minutes, and open your link again.",
        409,
    )


def too_large(most_bytes: int) -> Refusal:
    """More than is kept of one visit."""
    return Refusal("too_large", f"That is too much; {most_bytes // 2**20} MB can be kept.", 413)
