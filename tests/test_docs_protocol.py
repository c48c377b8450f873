"""docs/protocol.md names every kind of message, error and note that the code can produce, and none that it cannot."""

import ast
import re
from pathlib import Path

import pytest

from hippogym.core import frame_header, messages
from hippogym.live import agent_results, connection, conversation, goodbye, sessions

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "protocol.md").read_text()
SOURCES = [ROOT / "trial.py", *(ROOT / "hippogym" / "live").glob("*.py"), *(ROOT / "hippogym" / "core").glob("*.py")]


def strings_at(first: str, files: list[Path]) -> set[str]:
    """The first argument of every call of ``first``, and first elements of tuples that are refusals."""
    found = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == first
            if named and node.args and isinstance(node.args[0], ast.Constant):
                found.add(node.args[0].value)
    return found


def documented_codes() -> set[str]:
    table = PAGE.split("### What a bad message gets")[1].split("## Server")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def told_keys() -> set[str]:
    """The keyword arguments of every ``tell(...)`` of the trial and of what it is made of."""
    nodes = (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text())))
    calls = [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "tell"]
    return {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}


def test_every_error_code_is_documented_and_every_documented_one_exists() -> None:
    text = "\n".join(path.read_text() for path in SOURCES)
    made = strings_at("Malformed", SOURCES) | set(re.findall(r'\(\s*"(\w+)",\s*"\w+",\s*f?"', text))
    made |= set(re.findall(r'_unknown\(|"(full)"', text)) - {""}
    assert documented_codes() == {code for code in made if code in documented_codes()} | documented_codes()
    for code in documented_codes():
        assert f'"{code}"' in text, f"{code} is documented, but nothing sends it"
    for code in strings_at("Malformed", SOURCES):
        assert code in documented_codes(), f"{code} is sent, but not documented"


@pytest.mark.parametrize("kind", list(messages.Message.__subclasses__()), ids=lambda kind: kind.__name__)
def test_every_kind_of_message_of_a_client_is_documented(kind: type) -> None:
    names = {"Hello": "hello", "Command": "command", "ChangeFrameRate": "changeFrameRate", "Keys": "keys"}
    name = names.get(kind.__name__, kind.__name__.lower())
    assert re.search(rf"^\| {name}( \(v2\))? \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("key", sorted(told_keys() | {"welcome", "ping", "error", "done", "display", "inputBudget"}))
def test_every_message_of_the_server_is_documented(key: str) -> None:
    assert f"`{key}`" in PAGE


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"{messages.MAX_MESSAGE_BYTES // 1024} KiB a message" in PAGE
    assert f"nesting at most {messages.MAX_DEPTH} deep" in PAGE
    assert f"At most {messages.MAX_HELD} of each" in PAGE
    assert f"{conversation.MESSAGES_A_SECOND} messages a second with bursts of {conversation.BURST}" in PAGE
    assert f"within {conversation.HELLO_WITHIN_S:.0f} seconds" in PAGE
    assert f"nothing heard from the client for {connection.SILENCE_DEADLINE_S:.0f} s" in PAGE
    assert f"a header of {frame_header.LAYOUT.size} bytes" in PAGE
    assert sessions.WAITING_FOR_EACH_PLACE == 10 and "ten for each place" in PAGE
    assert f"at most {sessions.MOST_WAITING}" in PAGE
    assert f"its first {agent_results.MOST_ROWS} entries" in PAGE
    for code in goodbye.CLOSE_CODES.values():
        assert f"| {code} |" in PAGE
    for reason in goodbye.TEXTS:
        assert f"`{reason}` (" in PAGE


def test_every_command_is_documented() -> None:
    for command in messages.COMMANDS:
        assert f"`{command}`" in PAGE
