# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_external on the sandbox's stripe-mock, and on a real mail server over TLS: nothing while they are well, exactly what is broken when they are not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from backend_faults import eventually, killed, paused, process_of
from health_cluster import look, told, verdicts

pytestmark = pytest.mark.sandbox


@pytest.fixture
def address(sandbox: dict[str, Any]) -> str:
    found = str(sandbox["stripe_mock"]["endpoint"])
    eventually(lambda: answers(found), "stripe-mock")
    return found


def answers(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{address}/v1/balance", timeout=5, trust_env=False).status_code == 401
    return False


def found(run: dict[str, Any]) -> dict[str, str]:
    """What is neither ok nor skipped."""
    return {check: verdict for (check, _subject), verdict in verdicts(run).items() if verdict != "skipped"}


def test_what_is_well_and_what_nobody_has_named(address: str) -> None:
    run = look("external", region="us-east-1", connection={"billing": {"url": address}})
    assert found(run) == {}, told(run)
    assert {done["id"]: done["outcome"] for done in run["checks"]} == {
        "external.billing": "executed",
        **dict.fromkeys(("external.certificates", "external.identity", "external.mail"), "skipped"),
    }


def test_one_that_holds_still_is_unknown_in_time_and_the_others_are_looked_at(sandbox: dict[str, Any], address: str) -> None:
    gateway = sandbox["regions"]["us-east-1"]["backend"]["url"]
    with paused(process_of(str(sandbox["data"]), "stripe-mock", "-http-addr")):
        began = time.monotonic()
        run = look("external", region="us-east-1", connection={"billing": {"url": address}, "identity": {"issuer": gateway}})
        took = time.monotonic() - began
    assert found(run) == {"billing": "unknown", "identity": "unknown"}, told(run)
    assert "no answer within 3 s" in told(run)
    assert "404" in told(run)  # the application is no identity provider, and was asked
    assert took < 6
    eventually(lambda: answers(address), "stripe-mock")


def test_one_that_died_is_unknown(sandbox: dict[str, Any], address: str) -> None:
    data = str(sandbox["data"])
    with killed(data, "stripe_mock", process_of(data, "stripe-mock", "-http-addr")):
        run = look("external", region="us-east-1", connection={"billing": {"url": address}})
    assert found(run) == {"billing": "unknown"}, told(run)
    eventually(lambda: answers(address), "stripe-mock")


def test_tls_that_nobody_here_trusts_is_critical_and_says_so(sandbox: dict[str, Any]) -> None:
    """stripe-mock brings a certificate of its own, which no authority of ours has signed."""
    port = int(str(sandbox["stripe_mock"]["endpoint"]).rpartition(":")[2]) + 2
    run = look("external", region="us-east-1", connection={"billing": {"url": f"https://localhost:{port}"}})
    assert found(run) == {"certificates": "critical", "billing": "unknown"}, told(run)
    assert "not accepted" in told(run)


@pytest.fixture
def mail_server(sandbox: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A real mail server that demands STARTTLS, with a certificate of the sandbox's authority."""
    shown = Path(str(sandbox["data"])) / "us-east-1/object_store/tls/server.crt"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown, shown.with_suffix(".key"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(Sink(), hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True)
    server.start()
    yield {"host": "localhost", "port": port, "ca_file": sandbox["ca_file"]}
    server.stop()


def test_a_mail_server_is_talked_to_and_its_certificate_seen(mail_server: dict[str, Any]) -> None:
    run = look("external", region="us-east-1", connection={"mail": mail_server})
    assert found(run) == {}, told(run)
    assert {one["subject"] for one in run["items"] if one["verdict"] == "ok"} == {"us-east-1/external", "us-east-1/external/mail"}


def test_a_mail_server_whose_certificate_is_not_accepted(mail_server: dict[str, Any]) -> None:
    run = look("external", region="us-east-1", connection={"mail": {**mail_server, "ca_file": certifi.where()}})
    assert found(run) == {"mail": "critical"}, told(run)
    assert "not accepted" in told(run)
