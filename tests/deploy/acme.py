"""An authority on this machine: Debian's pebble; it believes a little name server, which asks moto's Route53."""

import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dnslib import QTYPE, RCODE, RR, TXT, DNSRecord

from hippogym.live.worker import die_with_parent
from tests.patience import PATIENCE_S

HERE = "127.0.0.1"


@dataclass
class NameServer:
    """deaf: as if the domain's registrar pointed somewhere else."""

    route53: Any
    deaf: bool = False
    asked: list[str] = field(default_factory=list)

    def answer(self, packet: bytes) -> bytes:
        asked = DNSRecord.parse(packet)
        reply = asked.reply()
        self.asked.append(f"{QTYPE[asked.q.qtype]} {asked.q.qname}")
        found = [] if self.deaf else self._texts(str(asked.q.qname)) if asked.q.qtype == QTYPE.TXT else []
        if self.deaf:
            reply.header.rcode = RCODE.NXDOMAIN
        for text in found:
            reply.add_answer(RR(asked.q.qname, QTYPE.TXT, rdata=TXT(text), ttl=10))
        return bytes(reply.pack())

    def _texts(self, name: str) -> list[str]:
        return [one.strip('"') for _, record in records(self.route53, "TXT") for one in record if _ == name]


def records(route53: Any, kind: str) -> Iterator[tuple[str, list[str]]]:
    """What the zones say: names with a dot at the end, and their values."""
    for zone in route53.list_hosted_zones()["HostedZones"]:
        for one in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            if one["Type"] == kind:
                yield one["Name"], [each["Value"] for each in one["ResourceRecords"]]


@contextmanager
def name_server(route53: Any) -> Iterator[tuple[NameServer, int]]:
    """It, and its port."""
    server = NameServer(route53)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as where:
        where.bind((HERE, 0))

        def serve() -> None:
            while True:
                packet, who = where.recvfrom(4096)
                if not packet:
                    return
                where.sendto(server.answer(packet), who)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server, where.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", where.getsockname())
            thread.join(PATIENCE_S)


@dataclass(frozen=True)
class Authority:
    """server: its directory. trust: the certificate of its own door."""

    server: str
    trust: Path
    process: subprocess.Popen


@contextmanager
def authority(program: str, folder: Path, names_port: int) -> Iterator[Authority]:
    """A pebble that asks that name server."""
    folder.mkdir()
    _own_certificate(folder)
    with socket.socket() as one, socket.socket() as other:
        one.bind((HERE, 0))
        other.bind((HERE, 0))
        ports = [each.getsockname()[1] for each in (one, other)]
    about = {
        "listenAddress": f"{HERE}:{ports[0]}", "managementListenAddress": f"{HERE}:{ports[1]}", "httpPort": 5002,
        "tlsPort": 5001, "certificate": str(folder / "own.pem"), "privateKey": str(folder / "own-key.pem"),
        "ocspResponderURL": "", "externalAccountBindingRequired": False,
    }  # fmt: skip
    (folder / "pebble.json").write_text(json.dumps({"pebble": about}))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-config", folder / "pebble.json", "-dnsserver", f"{HERE}:{names_port}"],
            env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5", "PEBBLE_AUTHZREUSE": "0"},
            stdout=log, stderr=log, preexec_fn=die_with_parent,
        )  # fmt: skip
    made = Authority(f"https://{HERE}:{ports[0]}/dir", folder / "own.pem", process)
    try:
        _wait_until_it_answers(made, folder / "log")
        yield made
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def _wait_until_it_answers(made: Authority, log: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(made.trust))
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and made.process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(made.server, context=trusting, timeout=PATIENCE_S):
            return
        time.sleep(0.05)
    raise AssertionError(f"pebble does not answer:\n{log.read_text()}")


def _own_certificate(folder: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HERE)])
    now, alone = datetime.now(UTC), x509.SubjectAlternativeName([x509.IPAddress(ip_address(HERE))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).add_extension(alone, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "own.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "own-key.pem").write_bytes(key.private_bytes(*form))


@contextmanager
def denying(behind: str, refused: str) -> Iterator[str]:
    """Before a moto server: what is written to a path with ``refused`` in it is denied, as IAM would."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._ask("GET")

        def do_POST(self) -> None:
            self._ask("POST")

        def _ask(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if method == "POST" and refused in self.path:
                self._say(403, DENIED)
                return
            request = urllib.request.Request(
                behind + self.path, body or None, dict(self.headers.items()), method=method
            )
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                self._say(answer.status, answer.read())

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.send_header("content-type", "text/xml")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HERE, 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{HERE}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE_S)


DENIED = (
    b'<ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type>'
    b"<Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/student is not authorized to perform: "
    b"route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/Z1</Message></Error></ErrorResponse>"
)
