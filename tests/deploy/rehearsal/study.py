"""The study that is rehearsed: consent with a picture, some rounds of a little game, a survey."""

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from tests.servers import ROOT

PROJECT, DOMAIN, TICKS = "pilot", "lab.example.org", 200

CONFIG = """
project:
  id: {project}
  name: A pilot
  researcher: whoever asks
  useAWS: True
  maxRuntime: 30
  steps: {{1: consent.html, 2: game, 3: survey.html, finalStep: thanks.html}}
  events: {{startServerStep: 1, stopServerStep: 3}}
  awsSetup:
    {{bucket: {bucket}, region: {region}, rootDomain: {domain}, cpu: 1, memory: 2, participantsPerTask: {shared}}}
  ssl: {{sslBucket: {ssl_bucket}, fullchain: SSL/fullchain.pem, privkey: SSL/privkey.pem}}
trial:
  game: MountainCar-v0
  maxEpisodes: {episodes}
  startingFrameRate: {rate}
  maxFrameRate: 120
  episodePause: 0
  seed: 5
  s3upload: True
  ui: {{left: true, right: true, start: true}}
  instructions: [Bring the car up the hill on the right.]
"""
CONSENT = """<!doctype html><html lang=en><title>Consent</title><h1>Taking part</h1>
<p>You will drive a little car. <img src="images/car.png" alt="The car" width=120 height=60></p>
<label><input type=checkbox name=consent value=yes required> I agree to take part.</label>
"""
SURVEY = """<!doctype html><html lang=en><title>Survey</title><h1>How was it?</h1>
<label>In your own words <textarea name=words required></textarea></label>
<fieldset><legend>Again?</legend>
<label><input type=radio name=again value=yes required> Yes</label>
<label><input type=radio name=again value=no> No</label></fieldset>
"""
THANKS = "<!doctype html><title>Thanks</title><h1>Thank you</h1><p>It helps us to see how people learn.</p>"


@dataclass(frozen=True)
class Scale:
    """How much is played, and how fast: rate in frames a second. shared: how many share a server."""

    episodes: int = 3
    rate: int = 30
    shared: int = 1


def make_study(folder: Path, outputs: Mapping[str, str], region: str, scale: Scale) -> Path:
    """As a researcher writes it when the stack is there. outputs: what `hippogym aws setup` says."""
    (folder / "StepFiles" / "images").mkdir(parents=True)
    (folder / "config.yml").write_text(
        CONFIG.format(
            project=PROJECT,
            bucket=outputs["StudyBucket"],
            region=region,
            domain=outputs["RootDomain"],
            ssl_bucket=outputs["SslBucket"],
            episodes=scale.episodes,
            rate=scale.rate,
            shared=scale.shared,
        )  # fmt: skip
    )
    shutil.copy(ROOT / "agent.py", folder)
    for name, text in (("consent", CONSENT), ("survey", SURVEY), ("thanks", THANKS)):
        (folder / "StepFiles" / f"{name}.html").write_text(text)
    (folder / "StepFiles" / "images" / "car.png").write_bytes(_picture())
    return folder


def _picture() -> bytes:
    image = Image.new("RGB", (240, 120), (214, 232, 245))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((40, 35, 200, 80), 12, fill=(40, 90, 150))
    for x in (70, 150):
        draw.ellipse((x, 65, x + 34, 99), fill=(30, 30, 30))
    raw = io.BytesIO()
    image.save(raw, "PNG")
    return raw.getvalue()
