# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers of what health runs send, on this machine: HTTP as Slack and PagerDuty speak it, by their schemas, and a real mail server."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jsonschema import Draft202012Validator

WEBHOOK, POST_MESSAGE, ENQUEUE = "/services/", "/api/chat.postMessage", "/v2/enqueue"
SCHEMAS = {WEBHOOK: "slack_incoming_webhook", POST_MESSAGE: "slack_chat_post_message", ENQUEUE: "pagerduty_event_v2"}
FORMS = {
    path: Draft202012Validator(json.loads((Path(__file__).parent / "schemas" / f"{name}.json").read_text(encoding="utf-8"))) for path, name in SCHEMAS.items()
}


@dataclass
class Vendor:
    """Slack and PagerDuty at once. ``does``: what it answers; "echo" refuses with everything that it was sent, as a thoughtless proxy may."""

    does: str = "well"
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    url: str = ""
    ca_file: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, str]:
        """Status, type and body for a request."""
        if self.does == "hang":
            self.over.wait(60)
        if self.does == "echo":
            return 500, "text/plain", f"{path} {headers} {body.decode()}"
        if self.does in ("500", "html"):
            return (500, "text/plain", "no") if self.does == "500" else (200, "text/html", "<!doctype html><title>Sign in</title>")
        kind = WEBHOOK if path.startswith(WEBHOOK) else path
        if kind not in FORMS:
            self.invalid.append(f"there is no {path}")
            return 404, "text/plain", "no_team"
        told = json.loads(body)
        self.invalid += [f"{path}: {error.message}" for error in FORMS[kind].iter_errors(told)]
        self.received.append((kind, told))
        self.tokens.append(headers.get("Authorization", ""))
        if kind == WEBHOOK:
            return 200, "text/html", "ok"
        if kind == POST_MESSAGE and self.does == "no":
            return 200, "application/json", json.dumps({"ok": False, "error": "channel_not_found"})
        if kind == POST_MESSAGE:
            return 200, "application/json", json.dumps({"ok": True, "channel": "C1", "ts": "1503435956.000247"})
        return 202, "application/json", json.dumps({"status": "success", "message": "Event processed", "dedup_key": told["dedup_key"]})

    def of(self, kind: str) -> list[dict[str, Any]]:
        """What came to an address."""
        return [told for path, told in self.received if path == kind]

    def events(self) -> list[tuple[str, str]]:
        """Action and key of PagerDuty's events, in their order; then they are forgotten."""
        found = [(told["event_action"], told["dedup_key"]) for told in self.of(ENQUEUE)]
        self.received.clear()
        return found


@contextlib.contextmanager
def vendor(shown: Path, key: Path) -> Iterator[Vendor]:
    """A vendor that listens, with this certificate."""
    there = Vendor()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, kind, text = there.answer(self.path, dict(self.headers), body)
            with contextlib.suppress(OSError):  # who hung has been left
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, *_words: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = _context(shown, key).wrap_socket(server.socket, server_side=True)
    there.url = f"https://localhost:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield there
    finally:
        there.over.set()
        server.shutdown()
        server.server_close()


def certificate(folder: Path, hours: float = 24) -> tuple[Path, Path]:
    """A certificate for localhost that is its own authority, and its key. It was issued an hour ago, or an hour before it ends."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(hours=max(1, 1 - hours))).not_valid_after(now + datetime.timedelta(hours=hours))
    made = made.add_extension(names, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    parts = (
        (made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), "mail.crt"),
        (
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
            "mail.key",
        ),
    )
    for data, file in parts:
        (folder / file).write_bytes(data)
    return folder / "mail.crt", folder / "mail.key"


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


def _context(shown: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, key)
    return context


@dataclass
class Post:
    """A mail server that wants encryption and an account, and keeps what it is given."""

    account: str
    password: str
    port: int = 0
    ca_file: str = ""
    refuses: str = ""
    mails: list[tuple[list[str], str]] = field(default_factory=list)

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if address == self.refuses:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.mails.append((list(envelope.rcpt_tos), (envelope.original_content or b"").decode()))
        return "250 kept"

    def admits(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        known = isinstance(given, LoginPassword) and (given.login.decode(), given.password.decode()) == (self.account, self.password)
        return AuthResult(success=known, handled=False)


@contextlib.contextmanager
def post(shown: Path, key: Path, account: str, password: str) -> Iterator[Post]:
    """A mail server that listens, with this certificate: STARTTLS first, then AUTH."""
    there = Post(account, password)
    controller = Controller(
        there, "127.0.0.1", free_port(), tls_context=_context(shown, key), require_starttls=True, authenticator=there.admits, auth_required=True
    )
    controller.start()
    there.port = controller.port
    try:
        yield there
    finally:
        controller.stop()
