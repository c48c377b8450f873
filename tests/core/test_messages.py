"""What clients may say: every kind is read, and nothing makes ``decode`` raise."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.messages import (
    Ack,
    Action,
    ChangeFrameRate,
    Command,
    Hello,
    Info,
    Keys,
    Malformed,
    Message,
    Pong,
    decode,
)

UI = frozenset({"left", "fire", "start", "uploadData"})


def read(value: object, *, v2: bool = True) -> Message | Malformed:
    return decode(json.dumps(value), v2=v2, ui=UI)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"userId": "alice", "projectId": "p", "token": "t"}, Hello),
        ({"userId": None}, Hello),
        ({"command": "start", "system": "Linux"}, Command),
        ({"command": "uploadData"}, Command),
        ({"changeFrameRate": "faster"}, ChangeFrameRate),
        ({"changeFrameRate": 30}, ChangeFrameRate),
        ({"changeFrameRate": "30"}, ChangeFrameRate),
        ({"keys": ["ArrowUp"], "controls": ["left"]}, Keys),
        ({"controls": []}, Keys),
        ({"actionType": "upArrow", "action": "up"}, Action),
        ({"ack": 3, "t": 1.5}, Ack),
        ({"pong": 3, "t": 1.5}, Pong),
        ({"info": {"x": 1}}, Info),
    ],
)
def test_each_kind_of_message_is_recognised(said: dict, kind: type) -> None:
    message = read({**said, "frameId": 7, "frameCount": 2})
    assert isinstance(message, kind)
    assert message.frame == 7
    assert message.fields == {**said, "frameId": 7, "frameCount": 2}


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read({"ack": 1}).drawn = 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x00\x01", "binary"),
        ("", "not_json"),
        ("hello", "not_json"),
        ("NaN", "not_json"),
        ('{"command": NaN}', "not_json"),
        ('{"t": Infinity, "ack": 1}', "not_json"),
        ('{"t": 1e999, "ack": 1}', "not_json"),
        ('{"ack": ' + "9" * 10_000 + "}", "not_json"),
        ('{"info": ' + "9" * 301 + "}", "not_json"),
        ('{"info": "a\\"", "t": 0.' + "3" * 400 + "}", "not_json"),
        ('{"info": [{"x": -1e999}]}', "not_json"),
        ('"' + '\\"' * 30_000 + "9" * 301, "not_json"),
        (json.dumps({"info": [0] * 2000}), "too_large"),
        (json.dumps({"info": [[0] * 1000, {"x": [0] * 1000}]}), "too_large"),
        ("[" * 100_000, "too_large"),
        ("[" * 30_000 + "]" * 30_000, "too_deep"),
        (json.dumps({"info": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}), "too_deep"),
        ("5", "not_object"),
        ('"userId"', "not_object"),
        ("null", "not_object"),
        ("[1, 2]", "not_object"),
        (json.dumps({"info": "x" * 70_000}), "too_large"),
        (json.dumps({"info": "é" * 40_000}, ensure_ascii=False), "too_large"),
        ("{}", "unknown_message"),
        ('{"command": 5}', "bad_type"),
        ('{"command": null}', "bad_type"),
        ('{"command": "dance"}', "unknown_command"),
        ('{"changeFrameRate": true}', "bad_type"),
        ('{"changeFrameRate": "fast"}', "bad_value"),
        ('{"changeFrameRate": "inf"}', "bad_value"),
        ('{"action": ["up"]}', "bad_type"),
        ('{"action": {"up": 1}}', "bad_type"),
        ('{"action": 3}', "bad_type"),
        ('{"keys": "ArrowUp"}', "bad_type"),
        ('{"keys": [1]}', "bad_type"),
        (json.dumps({"keys": [f"Key{n}" for n in range(17)]}), "bad_value"),
        ('{"ack": "1"}', "bad_type"),
        ('{"ack": -1}', "bad_value"),
        ('{"ack": 1, "t": "now"}', "bad_type"),
        ('{"ack": 1, "frameId": 1.5}', "bad_type"),
        ('{"ack": 1, "frameId": 9007199254740993}', "bad_value"),
        ('{"userId": 5}', "bad_type"),
        ('{"userId": "a/b"}', "bad_value"),
        ('{"userId": "../../etc"}', "bad_value"),
        ('{"userId": ".."}', "bad_value"),
        ('{"userId": "a\\u0000b"}', "bad_value"),
        (json.dumps({"userId": "x" * 10_240}), "bad_value"),
        ('{"userId": "a", "token": 5}', "bad_type"),
        ('{"userId": "a", "visit": ["t"]}', "bad_type"),
    ],
)
def test_a_v2_client_is_told_what_was_wrong(data: str | bytes, code: str) -> None:
    answer = decode(data, v2=True, ui=UI)
    assert isinstance(answer, Malformed), answer
    assert answer.code == code
    assert set(answer.as_wire()["error"]) == {"code", "field", "expected", "got"}


@pytest.mark.parametrize("text", ["9" * 5000, 'said "' + "1" * 400 + '" and \\ ' + "2" * 400])
def test_digits_within_a_text_are_no_number(text: str) -> None:
    assert read({"info": text}).fields == {"info": text}


def test_as_many_values_and_digits_and_levels_as_are_allowed_are_read() -> None:
    assert isinstance(read({"info": [0] * 1999}), Info)
    assert isinstance(read({"info": int("9" * 300)}), Info)
    assert isinstance(read({"info": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}), Info)
    assert read({"info": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}).code == "too_deep"


def test_an_error_never_repeats_what_the_participant_wrote() -> None:
    for said in ({"command": "my secret"}, {"userId": "my secret/"}, {"changeFrameRate": "my secret"}):
        assert "secret" not in json.dumps(read(said).as_wire())


@pytest.mark.parametrize("user", ["a/b", "../x", "x" * 300, "a\0b", 5, "", None, ["a"]])
def test_a_v1_client_with_a_strange_name_plays_under_one_that_the_server_makes(user: object) -> None:
    hello = read({"userId": user, "projectId": ""}, v2=False)
    assert isinstance(hello, Hello)
    assert hello.user_id is None


def test_a_v1_client_may_say_things_that_nobody_knows() -> None:
    assert isinstance(read({"info": "mouse down", "pos": {"x": 1}}, v2=False), Info)
    assert isinstance(read({"KeyboardEvent": {"KEYDOWN": ["a", 65]}}, v2=False), Info)
    assert read({"command": " DANCE "}, v2=False) == Command({"command": " DANCE "}, None, None, "dance", False)


@pytest.mark.parametrize("said", [" START ", "Start", "start"])
def test_commands_are_read_in_any_case(said: str) -> None:
    message = read({"command": said})
    assert isinstance(message, Command)
    assert message.name == "start"


def test_a_command_keeps_the_spelling_of_the_study() -> None:
    message = read({"command": "UPLOADDATA"})
    assert isinstance(message, Command)
    assert (message.name, message.known) == ("uploadData", True)


@pytest.mark.parametrize(("action_type", "key"), [("upArrow", "upArrow"), ("mousedown", None), (None, None)])
def test_a_click_on_the_pad_has_no_key_to_let_go_of(action_type: str | None, key: str | None) -> None:
    message = read({"actionType": action_type, "action": "up"}, v2=False)
    assert isinstance(message, Action)
    assert message.key == key


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
field_names = st.sampled_from(
    ["userId", "projectId", "token", "visit", "command", "changeFrameRate", "keys", "controls", "action", "actionType"]
    + ["ack", "pong", "info", "frameId", "frameCount", "t"]
)


@given(st.dictionaries(field_names, json_values, max_size=6), st.booleans())
def test_nothing_a_client_says_in_json_makes_decode_raise(said: dict, v2: bool) -> None:
    assert isinstance(decode(json.dumps(said), v2=v2, ui=UI), Message | Malformed)


@given(st.text() | st.binary(), st.booleans())
def test_no_text_makes_decode_raise(said: str | bytes, v2: bool) -> None:
    assert isinstance(decode(said, v2=v2, ui=UI), Message | Malformed)


@given(st.text(min_size=1, max_size=80))
def test_a_name_that_is_accepted_is_plain(user: str) -> None:
    answer = read({"userId": user})
    if isinstance(answer, Hello):
        assert answer.user_id == user
        assert user.isascii() and "/" not in user and ".." not in user and user.isprintable()


def test_the_rights_in_a_hello_are_for_version_2_alone() -> None:
    text = '{"userId": "a", "token": "t", "visit": "v"}'
    new, old = decode(text, v2=True, ui=frozenset()), decode(text, v2=False, ui=frozenset())
    assert isinstance(new, Hello) and isinstance(old, Hello)
    assert ((new.token, new.visit), (old.token, old.visit)) == (("t", "v"), (None, None))
