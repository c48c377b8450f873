"""How the server starts, refuses to start, and stops."""

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.clients import join
from tests.live.conftest import CONFIG, COUNTING
from tests.patience import PATIENCE_S
from tests.records import of_kind, plain_loop, wait_for_files
from tests.servers import ROOT, RunningServer, serving


def run(study: Path, *arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess:
    """A command that should end by itself."""
    command = [sys.executable, str(ROOT / "communicator.py"), *arguments, "--study", str(study)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, cwd=cwd or study, env={**os.environ, **env}
    )


def certificate(folder: Path, days: float = 90, key_of: str = "same") -> None:
    """fullchain.pem and privkey.pem, self-signed for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    other = key if key_of == "same" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    (folder / "fullchain.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_in_order(own_server: RunningServer, number: int) -> None:
    server = own_server
    async with join(server.ws) as v2, join(server.ws, v2=False) as v1:
        for client in (v1, v2):
            await client.hello()
            await client.say(command="start")
            await client.until_frame(3)
        server.process.send_signal(number)
        done = (await v2.until("done"))["done"]
        assert done["reason"] == "server"
        assert done["text"]
        assert await v1.until("done") == "done"
        assert await v2.until_closed() == 1012
    assert server.process.wait(PATIENCE_S) == 0
    files = wait_for_files(server, 2)
    assert [of_kind(plain_loop(file), "end")[0]["hippogym"]["reason"] for file in files] == ["server", "server"]
    assert not list(server.records.rglob("*.part"))


HANGS_ON_CLOSE = COUNTING.read_text().replace("env.count = -1", "import time; time.sleep(1000)")


async def test_a_second_signal_forces(study: Path) -> None:
    (study / "agent.py").write_text(COUNTING.read_text().replace("env.count += 1", "import time; time.sleep(1000)"))
    with serving(study) as server:
        async with join(server.ws) as client:
            await client.hello()
            await client.say(command="start")
            await client.until_frame()
            server.process.send_signal(signal.SIGINT)
            while "stopping" not in server.log:
                await asyncio.sleep(0.02)
            children = psutil.Process(server.process.pid).children(recursive=True)
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(PATIENCE_S) == 1
        gone, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
        assert not alive


async def test_when_the_server_is_killed_its_trials_end_by_themselves(own_server: RunningServer) -> None:
    server = own_server
    async with join(server.ws) as client:
        await client.hello()
        await client.say(command="start")
        await client.until_frame(3)
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert children
        server.process.kill()
        gone, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
        assert not alive
    with serving(server.records.parent) as again:  # at once: no orphan holds the folder
        [file] = wait_for_files(again, 1)
        assert of_kind(plain_loop(file), "tick")


async def test_a_trials_process_has_loaded_only_what_it_needs_and_knows_no_secrets(study: Path) -> None:
    code = COUNTING.read_text().replace(
        '"info": {"action": action}',
        '"info": {"modules": sorted(__import__("sys").modules), "env": dict(__import__("os").environ)}',
    )
    (study / "agent.py").write_text(code)
    with serving(study, env={"AWS_SECRET_ACCESS_KEY": "canary7351"}) as server:
        async with join(server.ws) as client:
            await client.hello()
            await client.say(command="start")
            await client.until_frame(3)
            await client.say(command="stop")
            await client.until("done")
        [file] = wait_for_files(server, 1)
    info = of_kind(plain_loop(file), "tick")[0]["info"]
    assert not {"pydantic", "starlette", "uvicorn", "boto3", "yaml", "communicator"} & set(info["modules"])
    assert "canary7351" not in str(info["env"])


def test_a_taken_port_is_one_line_and_exit_2(study: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(study, "dev", "--address", "127.0.0.1", "--port", port)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith(f"127.0.0.1, port {port}: ")


def test_the_port_may_come_from_the_environment_and_the_flag_wins(study: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(study, "dev", PORT=port, ADDRESS="127.0.0.1")
        assert (ended.returncode, f"port {port}" in ended.stderr) == (2, True)
        ended = run(study, "dev", "--port", port, PORT="0", ADDRESS="127.0.0.1")
        assert (ended.returncode, f"port {port}" in ended.stderr) == (2, True)


def test_an_address_of_another_machine_is_refused(study: Path) -> None:
    ended = run(study, "dev", "--address", "203.0.113.7", "--port", "0")
    assert ended.returncode == 2
    assert "203.0.113.7" in ended.stderr


def test_two_servers_cannot_share_a_records_folder(own_server: RunningServer) -> None:
    server = own_server
    ended = run(server.records.parent, "dev", "--address", "127.0.0.1", "--port", "0")
    assert ended.returncode == 2
    assert "Trials" in ended.stderr


def test_a_wrong_study_never_listens_and_says_everything_at_once(study: Path) -> None:
    (study / "config.yml").write_text(CONFIG.replace("maxEpisodes: 3", "maxEpisodes: many\n  startingFrameRat: 3"))
    ended = run(study, "dev", "--port", "0")
    assert ended.returncode == 2
    assert "maxEpisodes" in ended.stderr
    assert "startingFrameRate" in ended.stderr
    assert "Play at" not in ended.stdout


def test_an_agent_that_lacks_functions_is_refused_by_name(study: Path) -> None:
    (study / "agent.py").write_text("def start(game): ...\ndef step(env, action): ...\ndef close(env): ...\n")
    ended = run(study, "dev", "--port", "0")
    assert ended.returncode == 2
    assert re.search(r"render.*reset|reset.*render", ended.stderr)


@pytest.mark.parametrize("code", ["import nonexistent_module", "1/0", "import os; os._exit(3)"])
def test_an_agent_that_does_not_load_is_refused(study: Path, code: str) -> None:
    (study / "agent.py").write_text(code + "\n")
    ended = run(study, "dev", "--port", "0")
    assert ended.returncode == 2
    assert "agent.py" in ended.stderr


def test_check_says_what_it_found(study: Path) -> None:
    ended = run(study, "check")
    assert ended.returncode == 0, ended.stderr
    for expected in ("64 × 48", "upright", "ArrowUp", "frames/s", "ticks played"):
        assert expected in ended.stdout
    assert not (study / "Trials").exists()


def test_check_fails_for_an_agent_that_cannot_play(study: Path) -> None:
    (study / "agent.py").write_text(COUNTING.read_text().replace("return picture", "return 'picture'"))
    ended = run(study, "check")
    assert ended.returncode == 2
    assert "render" in ended.stderr


async def test_production_speaks_tls_and_reloads_its_certificates(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    certificate(folder)
    with serving(study, mode="", cwd=folder) as server:
        assert server.url.startswith("https://")
        host, port = re.match(r"https://([\d.]+):(\d+)", server.url).groups()
        origin = server.url
        async with join(server.ws, ssl=trusting(), origin=origin) as client:
            await client.hello()
            await client.until_frame()
            before = ssl.get_server_certificate((host, int(port)))
            certificate(folder, days=-1)
            server.process.send_signal(signal.SIGHUP)
            while "not reloaded" not in server.log:
                await asyncio.sleep(0.02)
            assert await asyncio.to_thread(ssl.get_server_certificate, (host, int(port))) == before
            certificate(folder, days=60)
            server.process.send_signal(signal.SIGHUP)
            while "certificates reloaded" not in server.log:
                await asyncio.sleep(0.02)
            assert await asyncio.to_thread(ssl.get_server_certificate, (host, int(port))) != before
            await client.say(command="start")
            await client.until_frame(3)
        assert server.stop() == 0


def test_a_certificate_that_ends_soon_warns(study: Path, tmp_path: Path) -> None:
    certificate(tmp_path / "run", days=3)
    with serving(study, mode="", cwd=tmp_path / "run") as server:
        assert "ends on" in server.log


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: (folder / "fullchain.pem").unlink(), "fullchain.pem is missing"),
        (lambda folder: (folder / "privkey.pem").unlink(), "privkey.pem is missing"),
        (lambda folder: (folder / "fullchain.pem").write_text("x"), "not a certificate"),
        (lambda folder: (folder / "privkey.pem").write_text("x"), "privkey.pem"),
        (lambda folder: certificate(folder, days=-1), "expired"),
        (lambda folder: certificate(folder, key_of="other"), "is not the key"),
    ],
)
def test_unusable_certificates_are_one_line_and_exit_2(study: Path, tmp_path: Path, spoil, complaint: str) -> None:
    folder = tmp_path / "run"
    certificate(folder)
    spoil(folder)
    ended = run(study, "--port", "0", cwd=folder)
    assert ended.returncode == 2
    assert complaint in ended.stderr.strip().splitlines()[-1]


async def test_the_log_holds_nothing_of_the_participant(own_server: RunningServer) -> None:
    server = own_server
    canary = "canary7351"
    async with join(server.ws) as client:
        await client.hello(canary, client={"browser": canary})
        welcome = (await client.until("welcome"))["welcome"]
        await client.until_frame()
        await client.say(info=canary)
        await client.say(command=canary)
        await client.socket.send(canary)
        await client.say(command="stop")
        await client.until("done")
    assert server.stop() == 0
    log = server.log
    assert "a participant has joined" in log
    assert "stopped" in log
    for secret in (canary, welcome["token"], "127.0.0.1"):
        assert secret not in log


def test_the_folder_is_locked_only_while_it_is_used(study: Path) -> None:
    with serving(study) as server:
        assert server.stop() == 0
    with serving(study) as server:
        assert server.stop() == 0
    lock = study / "Trials" / ".lock"
    if lock.exists():
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.long
async def test_a_tls_handshake_that_never_ends_is_cut_off(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    certificate(folder)
    with serving(study, mode="", cwd=folder) as server:
        host, port = re.match(r"https://([\d.]+):(\d+)", server.url).groups()
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x16\x03\x01")  # the beginning of a ClientHello
        async with asyncio.timeout(PATIENCE_S / 2):  # asyncio's own patience is a minute
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        async with join(server.ws, ssl=trusting(), origin=server.url) as client:
            await client.hello()
            await client.until_frame()
