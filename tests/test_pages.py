"""The participant's page over HTTP: what is served, how it is fenced in, and what is not served."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers

from hippogym.pages.routes import STATIC, PageSettings, page_routes, strict_headers

SETTINGS = PageSettings("pacman", "Pac-Man <& friends>", ("https://lab.example", "http://old.example:8080"), dev=False)


@dataclass
class Answer:
    status_code: int
    headers: Headers
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


class Client:
    """Asks an ASGI app as a server would, and changes nothing on the way: odd paths arrive as they are."""

    def __init__(self, settings: PageSettings) -> None:
        self.app = Starlette(routes=page_routes(settings))

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self.request("GET", path, headers)

    def request(self, method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
        raw_headers = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        scope = {"type": "http", "method": method, "path": unquote(path), "raw_path": path.encode()}
        scope |= {"query_string": b"", "headers": raw_headers, "scheme": "http", "server": ("study", 80)}
        sent: list[dict] = []

        async def receive() -> dict:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        start, *bodies = sent
        body = b"".join(part.get("body", b"") for part in bodies)
        return Answer(start["status"], Headers(raw=start["headers"]), b"" if method == "HEAD" else body)


def client_for(settings: PageSettings = SETTINGS) -> Client:
    return Client(settings)


def policy(headers: Headers | dict[str, str]) -> dict[str, list[str]]:
    rules = (rule.split() for rule in headers["content-security-policy"].split(";"))
    return {name: values for name, *values in rules}


def every_path() -> list[str]:
    files = [file for file in STATIC.rglob("*") if file.suffix in {".js", ".css", ".svg"}]
    return ["/", *(f"/static/{file.relative_to(STATIC).as_posix()}" for file in files)]


def test_the_page_is_served_with_the_study_s_name_escaped():
    page = client_for().get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Pac-Man &lt;&amp; friends&gt;</title>" in page.text
    assert "PROJECT_NAME" not in page.text
    assert '<html lang="en">' in page.text


def test_everything_that_the_page_and_its_modules_ask_for_is_there():
    client = client_for()
    asked = set(re.findall(r'(?:href|src)="(/[^"]+)"', client.get("/").text))
    for path in every_path():
        text = client.get(path).text
        folder = Path(path).parent
        for name in re.findall(r"from '(\.[^']+)'", text):
            asked.add((Path("/") / folder / name).resolve().as_posix())
    assert "/static/js/connection.js" in asked, "the modules' imports are looked at"
    missing = [path for path in asked if client.get(path).status_code != 200]
    assert not missing


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/static/js/main.js", "text/javascript; charset=utf-8"),
        ("/static/css/base.css", "text/css; charset=utf-8"),
        ("/static/favicon.svg", "image/svg+xml"),
    ],
)
def test_files_come_with_their_type(path: str, media_type: str):
    assert client_for().get(path).headers["content-type"] == media_type


def test_the_page_is_told_about_the_study():
    told = json.loads(client_for().get("/page-settings").content)
    assert told == {
        "projectId": "pacman",
        "projectName": "Pac-Man <& friends>",
        "origins": ["https://lab.example", "http://old.example:8080"],
        "dev": False,
        "steps": False,
        "scripts": False,
    }


def test_health_is_ok_and_never_from_a_cache():
    health = client_for().get("/healthz")
    assert (health.status_code, health.text) == (200, "ok")
    assert health.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/page-settings"])
def test_a_browser_that_has_a_file_is_told_that_it_is_still_the_same(path: str):
    client = client_for()
    first = client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    etag = first.headers["etag"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(path, headers={"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b""), condition
        assert again.headers["etag"] == etag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_another_study_is_another_page_to_the_cache():
    other = PageSettings("pacman", "Other", (), dev=False)
    assert client_for().get("/").headers["etag"] != client_for(other).get("/").headers["etag"]


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/page-settings", "/healthz", "/nothing-here"])
def test_every_answer_has_the_strict_headers(path: str):
    headers = client_for().get(path).headers
    for name, value in strict_headers(SETTINGS).items():
        assert headers[name] == value
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_the_policy_lets_in_what_is_listed_and_nothing_else():
    rules = policy(client_for().get("/").headers)
    listed = ["https://lab.example", "http://old.example:8080"]
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == ["'self'"]
    assert rules["style-src"] == ["'self'", *listed]
    assert rules["img-src"] == ["'self'", "data:", "blob:"]
    assert rules["connect-src"] == ["'self'", "wss://lab.example", "ws://old.example:8080", *listed]
    assert rules["frame-ancestors"] == ["'self'", *listed]
    assert rules["base-uri"] == ["'none'"]
    assert rules["form-action"] == ["'self'"]


def test_servers_on_this_machine_are_reached_only_in_dev():
    study, dev = (policy({"content-security-policy": strict_headers(PageSettings("p", "P", (), dev=dev))[
        "Content-Security-Policy"
    ]}) for dev in (False, True))  # fmt: skip
    assert study["connect-src"] == ["'self'"]
    assert "ws://localhost:*" in dev["connect-src"]
    assert "ws://127.0.0.1:*" in dev["connect-src"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://a.example; script-src *",
        "https://a.example\r\nX: y",
        "*",
        "https://a.example/path",
        "'unsafe-inline'",
        "",
    ],
)
def test_what_is_not_an_origin_never_reaches_a_header(origin: str):
    with pytest.raises(ValueError, match="is not an origin"):
        page_routes(PageSettings("p", "P", (origin,), dev=False))


def test_the_page_has_nothing_inline_that_the_policy_would_refuse():
    page = client_for().get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    assert "javascript:" not in page


def test_nothing_is_fetched_from_elsewhere():
    for path in every_path():
        for address in re.findall(r"https?://[^\s\"'`)]+", client_for().get(path).text):
            assert address == "http://www.w3.org/2000/svg", f"{path} mentions {address}"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing-here",
        "/static/",
        "/static/index.html",
        "/static/../routes.py",
        "/static/%2e%2e/routes.py",
        "/static/js/..%2f..%2froutes.py",
        "/static//etc/passwd",
        "/static/js/main.js/",
        "/static/js/main.js%00",
        "/favicon.ico",
        "/docs",
        "/ws",
    ],
)
def test_anything_else_is_not_there(path: str):
    answer = client_for().get(path)
    assert (answer.status_code, answer.text) == (404, "Not found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/healthz"])
def test_the_page_can_only_be_read(method: str, path: str):
    assert client_for().request(method, path).status_code == 404


def test_head_tells_what_get_would_without_the_body():
    head = client_for().request("HEAD", "/")
    assert head.status_code == 200
    assert int(head.headers["content-length"]) > 1000


@pytest.mark.parametrize("path", sorted(STATIC.rglob("*.js")), ids=lambda path: path.name)
def test_the_modules_stay_small_enough_to_read(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 300


def colours(scheme: str) -> dict[str, str]:
    """The named colours of base.css in one of the two schemes."""
    light, dark = (STATIC / "css/base.css").read_text(encoding="utf-8").split("@media (prefers-color-scheme: dark)")
    pattern = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
    dark = dark.split("\n}\n")[0]
    return dict(pattern.findall(light)) | (dict(pattern.findall(dark)) if scheme == "dark" else {})


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2 (relative luminance, sRGB)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_contrast_is_measured_as_the_standard_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "muted", "accent", "danger"])
@pytest.mark.parametrize("ground", ["paper", "surface"])
def test_all_text_can_be_read_on_its_ground(scheme: str, text: str, ground: str):
    names = colours(scheme)
    assert contrast(names[text], names[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_buttons_and_borders_can_be_told_from_their_ground(scheme: str):
    names = colours(scheme)
    assert contrast(names["on-accent"], names["accent"]) >= 4.5
    assert contrast(names["ink"], names["accent-soft"]) >= 4.5
    assert contrast(names["strong-line"], names["paper"]) >= 3
    assert contrast(names["strong-line"], names["surface"]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_over_the_game_can_be_read_over_a_white_picture(scheme: str):
    names = colours(scheme)
    white_through_the_veil = "#" + "".join(f"{round(0.2 * 255 + 0.8 * part):02x}" for part in (13, 17, 21))
    for text in ("on-stage", "on-stage-muted"):
        assert contrast(names[text], white_through_the_veil) >= 4.5
    assert "rgb(13 17 21 / 80%)" in (STATIC / "css/stage.css").read_text(encoding="utf-8"), "the veil that is meant"
