"""The section ``trial``: one participant in one environment."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import PlainValidator

from hippogym.config.fields import NEEDED, Section, choice, flag, number, special, text, whole
from hippogym.config.values import (
    ACTION_NAME,
    ActionValue,
    action_space,
    controls,
    instruction_texts,
    key_map,
    optional,
)

DEFAULT_UI = dict.fromkeys(("left", "right", "up", "down", "start", "pause"), True)

KNOWN_UI = (
    "left", "right", "up", "down", "leftUp", "rightUp", "leftDown", "rightDown", "fire",
    "start", "stop", "pause", "reset", "trainOffline", "trainOnline", "good", "bad", "fpsSet", "fpsUp", "fpsDown",
)  # fmt: skip

PLAIN_NAME = r"^[^\s]([^\n\t]*[^\s])?$"


class Trial(Section):
    """What a trial is: the environment, what may be pressed, how fast it runs, what is kept."""

    game: str = text(
        NEEDED, "the name of an environment, such as ALE/MsPacman-v5", PLAIN_NAME, example="game: ALE/MsPacman-v5",
        meaning="The environment; the agent's `start` gets this text. The only setting that must be there.",
    )  # fmt: skip
    maxEpisodes: int = whole(
        20, 1, 1_000_000, example="maxEpisodes: 20",
        meaning="Episodes a participant plays; after the last one the participant is moved to the next step.",
    )  # fmt: skip
    stepMode: Literal["realtime", "turn"] = choice(
        "realtime", "realtime or turn", example="stepMode: turn",
        meaning="`realtime`: the environment runs at the frame rate. `turn`: it waits for each action (Blackjack, "
        "FrozenLake, Taxi).",
    )  # fmt: skip
    actionSpace: Annotated[
        tuple[str, ...] | Mapping[str, ActionValue] | None, PlainValidator(optional(action_space))
    ] = special(
        None, "a list of names (position = action), or a map from name to a number or a list of numbers",
        example="actionSpace: [noop, up, right, left, down]", shown="from the environment",
        meaning="The names of the actions. A list: the position is the number that `step` gets, so check the order "
        "against the environment. A map: the name's value is what `step` gets.",
    )  # fmt: skip
    keys: Annotated[Mapping[str, str | None] | None, PlainValidator(optional(key_map))] = special(
        None, "a map from keys to names of actions", example="keys: {ArrowUp+ArrowRight: upright, Space: fire}",
        shown="from the environment",
        meaning="What the keys do. A key is named as browsers name it (KeyboardEvent.code: KeyW, ArrowUp, Space, "
        "Digit1); + joins keys that are held together; a key with nothing behind it does nothing any more.",
    )  # fmt: skip
    defaultAction: str | None = text(
        None, ACTION_NAME, PLAIN_NAME, longest=40, example="defaultAction: noop",
        shown="the environment's own way to do nothing",
        meaning="The action that is applied when the participant does nothing.",
    )  # fmt: skip
    actionBufferLifespan: int = whole(
        1, 1, 10_000, example="actionBufferLifespan: 5",
        meaning="Ticks for which an input is used, unless the next one comes first. Atari environments may ignore an "
        "input for 2 to 5 frames: 1 is no buffer, 5 makes sure that the input is taken.",
    )  # fmt: skip
    startingFrameRate: float = number(
        30, 1, 120, example="startingFrameRate: 30", meaning="Frames per second at the beginning."
    )
    allowFrameRateChange: bool = flag(
        False, example="allowFrameRateChange: True",
        meaning="Participants may change the frame rate (see `fpsUp`, `fpsDown` and `fpsSet` of `ui`). "
        "`allowFramRateChange` is read as an older spelling.",
    )  # fmt: skip
    frameRateStepSize: int = whole(
        5, 1, 120, example="frameRateStepSize: 5",
        meaning="What one press of fpsUp or fpsDown changes, in frames per second.",
    )  # fmt: skip
    minFrameRate: float = number(
        1, 1, 120, example="minFrameRate: 1", meaning="The lowest frame rate, itself included."
    )
    maxFrameRate: float = number(
        90, 1, 120, example="maxFrameRate: 60", meaning="The highest frame rate, itself included."
    )
    ui: Annotated[Mapping[str, bool], PlainValidator(controls)] = special(
        DEFAULT_UI, "a map from names of controls to true or false", example="ui: {start: true, pause: true}",
        shown="left right up down start pause",
        meaning="The controls on the page. A name of your own becomes a button whose press goes to the agent's "
        "`message` and into the record. Written in the file, it replaces the default as a whole.",
    )  # fmt: skip
    instructions: Annotated[tuple[str, ...], PlainValidator(instruction_texts)] = special(
        (), "text, or a list of texts", example="instructions: Eat all the dots.", shown="none",
        meaning="What the page shows beside the game, one paragraph for each text.",
    )  # fmt: skip
    dataFile: Literal["episode", "trial"] = choice(
        "episode", "episode or trial", example="dataFile: episode",
        meaning="`episode`: a file for each episode. `trial`: one file for the whole trial.",
    )  # fmt: skip
    s3upload: bool = flag(
        False, example="s3upload: True",
        meaning="Upload the files to `project.awsSetup.bucket`. False keeps them on the machine, where they are lost "
        "with a container. `dev` never uploads.",
    )  # fmt: skip
    uploadDeadline: float = number(
        100, 0, 3_600, example="uploadDeadline: 100",
        meaning="Seconds, from the moment the server is told to stop, in which what waits to be uploaded may still go "
        "up. What is left then stays in the records folder, and the server ends with the code 75.",
    )  # fmt: skip
    seed: int | None = whole(
        None, 0, 2_147_483_647, example="seed: 1",
        meaning="Base of the episodes' seeds, so that every participant meets the same episodes. Absent: a fresh seed "
        "for each episode. The seed is recorded either way.",
    )  # fmt: skip
    jpegQuality: int = whole(
        80, 1, 100, example="jpegQuality: 80",
        meaning="Quality of the frames: higher is sharper and takes more of the participant's connection.",
    )  # fmt: skip
    reconnectGrace: float = number(
        120, 0, 86_400, example="reconnectGrace: 120",
        meaning="Seconds that a trial waits for a participant whose connection was lost.",
    )  # fmt: skip
    maxParticipants: int = whole(
        16, 1, 1_000, example="maxParticipants: 16",
        meaning="Participants at a time on this server; more wait in a line, and begin by themselves.",
    )  # fmt: skip
    stepTimeout: float = number(
        5, 0.1, 3_600, example="stepTimeout: 5",
        meaning="Seconds that the agent's `step` or `render` may take before the trial is ended.",
    )  # fmt: skip
    hookTimeout: float = number(
        60, 0.1, 3_600, example="hookTimeout: 60",
        meaning="Seconds that the agent's `start`, `reset`, `message` or `close` may take before the trial is ended.",
    )  # fmt: skip
    memoryLimit: int = whole(
        4096, 64, 1_048_576, example="memoryLimit: 4096",
        meaning="Megabytes of memory that one trial may hold before it is ended, so that an agent that leaks ends "
        "its own trial and nobody else's.",
    )  # fmt: skip
    episodePause: float = number(
        1, 0, 60, example="episodePause: 1",
        meaning="Seconds for which the last state of an episode stays on the screen before the next one begins.",
    )  # fmt: skip
