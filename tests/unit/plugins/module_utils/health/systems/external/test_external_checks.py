# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of services outside, on servers that behave well and badly: what each of them may be told, and nothing else."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.external import CHECKS, mail, services
from ansible_collections.leanvibe.ops.plugins.modules import health_external
from external_servers import Reply, certificate, http, json_reply, silent, smtp

ALL = [check.id.removeprefix("external.") for check in CHECKS]
REFUSED = json_reply(401, '{"error": {"type": "invalid_request_error", "message": "You did not provide an API key."}}')
HTML: Reply = (200, {"Content-Type": "text/html"}, b"<!doctype html><title>Maintenance</title>")
EHLO = "250-mail.example.com\n250-STARTTLS\n250 8BITMIME"
TALKS = {"EHLO": EHLO, "STARTTLS": "220 go ahead", "NOOP": "250 fine", "QUIT": "221 bye"}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (services, mail):
        monkeypatch.setattr(module, "SECONDS", 0.7)


def look(capsys: pytest.CaptureFixture[str], **connection: Any) -> dict[str, Any]:
    """The module as Ansible calls it."""
    with patch_module_args({"region": "us-east-1", "connection": connection}), pytest.raises(SystemExit) as ended:
        health_external.main()
    answer = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0, answer
    assert answer["changed"] is False
    assert [done["id"] for done in answer["run"]["checks"]] == [check.id for check in CHECKS]
    return dict(answer["run"])


def verdicts(run: dict[str, Any]) -> dict[str, str]:
    """What is not skipped: check and name -> verdict."""
    found = {}
    for one in run["items"]:
        if one["verdict"] != "skipped":
            found[one["id"].removeprefix("external.") + one["subject"].removeprefix("us-east-1/external")] = one["verdict"]
    return found


def words(run: dict[str, Any]) -> str:
    return " ".join(one["message"] for one in run["items"])


def test_what_is_not_named_is_skipped_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    run = look(capsys, billing=None, identity=None, mail=None)
    assert verdicts(run) == {}
    assert {done["id"]: "leanvibe_ops_external" in done["reason"] for done in run["checks"]} == {
        "external.certificates": False,
        **{f"external.{name}": True for name in ("billing", "identity", "mail")},
    }


BILLING: dict[str, tuple[Reply, str]] = {
    "well": (REFUSED, "ok"),
    "fails": (json_reply(500, '{"error": {"type": "api_error"}}'), "critical"),
    "is away": ((503, {"Content-Type": "text/html"}, b"<html>away</html>"), "critical"),
    "HTML": (HTML, "unknown"),
    "HTML, refused": ((401, {"Content-Type": "text/html"}, b"<html>who are you?</html>"), "unknown"),
    "empty": ((401, {"Content-Type": "application/json"}, b""), "unknown"),
    "half": (json_reply(401, '{"error": {"type"'), "unknown"),
    "lets us in": (json_reply(200, '{"object": "balance"}'), "unknown"),
    "somebody else's refusal": (json_reply(401, '{"error": "unauthorized"}'), "unknown"),
    "leads elsewhere": ((302, {"Location": "http://127.0.0.1:1/"}, b""), "unknown"),
}


@pytest.mark.parametrize("name", BILLING)
def test_the_payment_provider(capsys: pytest.CaptureFixture[str], name: str) -> None:
    reply, verdict = BILLING[name]
    asked = []

    def answer(path: str, headers: Any) -> Reply:
        asked.append((path, headers.get("Authorization")))
        return reply

    with http(answer) as port:
        run = look(capsys, billing={"url": f"http://127.0.0.1:{port}"})
    assert verdicts(run) == {"billing": verdict}, words(run)
    assert asked == [("/v1/balance", None)]


def test_one_that_hangs_costs_its_time_out_once_and_the_others_are_looked_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with silent() as hanging, smtp(TALKS, certificate(tmp_path)) as port:
        began = time.monotonic()
        run = look(
            capsys,
            billing={"url": f"https://localhost:{hanging}"},
            mail={"host": "localhost", "port": port, "ca_file": str(tmp_path / "server.pem")},
        )
        took = time.monotonic() - began
    assert verdicts(run) == {"certificates/mail": "ok", "certificates": "unknown", "billing": "unknown", "mail": "ok"}, words(run)
    assert took < 1.6


def identity(at: str, **change: Any) -> str:
    found = {
        "issuer": at, "authorization_endpoint": f"{at}/authorize", "token_endpoint": f"{at}/token", "jwks_uri": f"{at}/keys", **change,
    }  # fmt: skip
    return json.dumps({name: value for name, value in found.items() if value is not None})


IDENTITY: dict[str, tuple[dict[str, Any], Any, Any, str, str]] = {
    # what differs in the configuration, the whole answer instead, the answer with the keys, verdict, word
    "well": ({}, None, None, "ok", "2 keys"),
    "another issuer": ({"issuer": "https://elsewhere.example.com"}, None, None, "critical", "elsewhere"),
    "no token endpoint": ({"token_endpoint": None}, None, None, "critical", "token_endpoint"),
    "keys in clear text elsewhere": ({"jwks_uri": "ftp://keys.example.com"}, None, None, "critical", "not protected"),
    "no keys": ({}, None, json_reply(200, '{"keys": []}'), "critical", "no keys"),
    "keys are HTML": ({}, None, HTML, "unknown", "text/html"),
    "keys fail": ({}, None, json_reply(500, "{}"), "critical", "500"),
    "fails": ({}, json_reply(502, "{}"), None, "critical", "502"),
    "HTML": ({}, HTML, None, "unknown", "text/html"),
    "not found": ({}, json_reply(404, "{}"), None, "unknown", "404"),
    "a list": ({}, json_reply(200, "[]"), None, "unknown", "list"),
}


@pytest.mark.parametrize("name", IDENTITY)
def test_the_identity_provider(capsys: pytest.CaptureFixture[str], name: str) -> None:
    change, whole, keys, verdict, word = IDENTITY[name]
    issuer = ""

    def answer(path: str, _headers: Any) -> Reply:
        if path == "/keys":
            return keys or json_reply(200, '{"keys": [{"kid": "1"}, {"kid": "2"}]}')
        assert path == "/.well-known/openid-configuration"
        return whole or json_reply(200, identity(issuer, **change))

    with http(answer) as port:
        issuer = f"http://127.0.0.1:{port}"
        run = look(capsys, identity={"issuer": issuer})
    assert verdicts(run) == {"identity": verdict}, words(run)
    assert word in words(run)


MAIL: dict[str, tuple[dict[str, str], str, str, str, str]] = {
    # replies, greeting, security, verdict, word
    "well": (TALKS, "220 ready", "none", "ok", "NOOP"),
    "refuses": (TALKS, "554 not you", "none", "critical", "554 not you"),
    "busy": ({**TALKS, "NOOP": "451 later"}, "220 ready", "none", "critical", "451 later"),
    "no EHLO": ({"EHLO": "502 what", "HELO": "502 what"}, "220 ready", "none", "critical", "502"),
    "no STARTTLS": ({**TALKS, "EHLO": "250 mail.example.com"}, "220 ready", "starttls", "critical", "STARTTLS"),
    "STARTTLS refused": ({**TALKS, "STARTTLS": "454 not now"}, "220 ready", "starttls", "critical", "454"),
    "no mail server": (TALKS, "HTTP/1.1 400 Bad Request", "none", "unknown", "not as a mail server"),
    "hangs": ({**TALKS, "EHLO": "NEVER"}, "220 ready", "none", "unknown", "timed out"),
}


@pytest.mark.parametrize("name", MAIL)
def test_the_mail_server(capsys: pytest.CaptureFixture[str], name: str) -> None:
    replies, greeting, security, verdict, word = MAIL[name]
    with smtp(replies, greeting=greeting) as port:
        run = look(capsys, mail={"host": "127.0.0.1", "port": port, "security": security})
    assert verdicts(run) == {"mail": verdict}, words(run)
    assert word in words(run)


CERTIFICATES: dict[str, tuple[float, bool, str, str]] = {
    # days, whether its signer is known, verdict of the certificates, verdict of what it protects
    "well": (300, True, "ok", "ok"),
    "soon": (25, True, "degraded", "ok"),
    "very soon": (3, True, "critical", "ok"),
    "expired": (-2, True, "critical", "unknown"),
    "of a stranger": (300, False, "critical", "unknown"),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    days, known, verdict, of_service = CERTIFICATES[name]
    pem = certificate(tmp_path, days)
    trusted = {"ca_file": str(pem)} if known else {}
    issuer = ""

    def answer(path: str, _headers: Any) -> Reply:
        if path == "/v1/balance":
            return REFUSED
        return json_reply(200, '{"keys": [{}]}' if path == "/keys" else identity(issuer))

    with ExitStack() as stack:
        port, mail_port = stack.enter_context(http(answer, pem)), stack.enter_context(smtp(TALKS, pem))
        issuer = f"https://localhost:{port}"
        run = look(capsys, billing={"url": issuer, **trusted}, identity={"issuer": issuer, **trusted}, mail={"host": "localhost", "port": mail_port, **trusted})
    of_mail = "ok" if of_service == "ok" else "critical"
    expected = {"certificates/billing": verdict, "certificates/identity": verdict, "billing": of_service, "identity": of_service, "mail": of_mail}
    assert verdicts(run) == expected | ({"certificates/mail": verdict} if of_mail == "ok" else {}), words(run)


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    run = look(capsys, billing={"url": "http://127.0.0.1:1"}, identity={"issuer": "http://127.0.0.1:1"}, mail={"host": "127.0.0.1", "port": 1})
    assert verdicts(run) == dict.fromkeys(ALL, "unknown"), words(run)
