# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_report to real receivers: Slack and PagerDuty by their schemas, e-mail to a mail server; what fails is told, and hinders nothing.

Needs no sandbox but for the last tests, which plant secrets wherever a run gets one and look for them in everything that is written and sent.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import importlib
import io
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from receivers import ENQUEUE, POST_MESSAGE, WEBHOOK, Post, Vendor, certificate, free_port, post, vendor

PASSWORD = f"planted-mail-{secrets.token_hex(6)}"
HOOK = f"T000/B000/planted-hook-{secrets.token_hex(8)}"
TOKEN = f"xoxb-planted-{secrets.token_hex(8)}"
ROUTING = f"planted{secrets.token_hex(16)}"[:32]
RUNBOOK = "runbooks/redis.md#memory"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The receivers' certificate, which is also its authority, and its key."""
    return certificate(tmp_path_factory.mktemp("identity"))


@pytest.fixture
def there(identity: tuple[Path, Path]) -> Iterator[Vendor]:
    with vendor(*identity) as listening:
        listening.ca_file = str(identity[0])
        yield listening
        assert listening.invalid == []


@pytest.fixture
def office(identity: tuple[Path, Path]) -> Iterator[Post]:
    with post(*identity, "health", PASSWORD) as listening:
        listening.ca_file = str(identity[0])
        yield listening


def endpoint(**findings: str) -> list[dict[str, Any]]:
    """What one endpoint found: name -> verdict, of one check; and that nothing is wrong with another."""
    base = {"observed": 99, "unit": "%", "threshold": None, "evidence": None, "runbook": RUNBOOK, "query": "INFO memory", "tenants": []}
    items = [
        {**base, "id": "redis.memory", "subject": f"us-east-1/redis/{name}", "verdict": verdict, "message": f"{name} is <full> & more"}
        for name, verdict in findings.items()
    ]
    items = items or [{**base, "id": "redis.memory", "subject": "us-east-1/redis", "verdict": "ok", "message": ""}]
    done = {"id": "redis.memory", "place": "us-east-1/redis", "outcome": "executed", "seconds": 0.1, "reason": ""}
    run = {"system": "redis", "region": "us-east-1", "items": items, "checks": [done], "facts": {}, "seconds": 0.1}
    return [{"system": "redis", "region": "us-east-1", "run": run}]


def conclude(folder: Path, endpoints: list[dict[str, Any]], day: int = 1, check: bool = False, **sinks: Any) -> dict[str, Any]:
    """The module as Ansible runs it; the report beside its result."""
    module = importlib.import_module("ansible_collections.leanvibe.ops.plugins.modules.health_report")
    given = {"run_id": f"r{day}", "started": f"2026-11-{day:02}T06:00:00Z", "environment": "sandbox", "regions": ["us-east-1"], "report_dir": str(folder)}
    given |= {"only": ["redis.memory"]}
    output = io.StringIO()
    arguments = {**given, "endpoints": json.dumps(endpoints), **sinks, "_ansible_check_mode": check}
    with patch_module_args(arguments), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main()
    result = dict(json.loads(output.getvalue()))
    assert not {secret for secret in (PASSWORD, HOOK.rpartition("/")[2], TOKEN, ROUTING) if secret in output.getvalue()}
    return {**result, "report": json.loads(Path(result["path"]).read_text(encoding="utf-8")) if "path" in result else {}}


def troubles(result: dict[str, Any]) -> dict[str, str]:
    """What sinks are said to have failed at: subject -> message."""
    return {item["subject"]: item["message"] for item in result["report"]["items"] if item["id"] == "health.sinks"}


def slack(there: Vendor, **more: Any) -> dict[str, Any]:
    return {"webhook_url": f"{there.url}/services/{HOOK}", "ca_file": there.ca_file, **more}


def pages(there: Vendor, **more: Any) -> dict[str, Any]:
    return {"routing_key": ROUTING, "api_url": there.url, "ca_file": there.ca_file, **more}


def mail(office: Post, **more: Any) -> dict[str, Any]:
    usual = {"host": "localhost", "port": office.port, "username": "health", "password": PASSWORD, "ca_file": office.ca_file}
    return {**usual, "sender": "Health <health@example.com>", "to": ["oncall@example.com", "Ops <ops@example.com>"], **more}


def key(name: str) -> str:
    return f"sandbox/redis.memory/us-east-1/redis/{name}"


def test_a_webhook_gets_one_short_message(there: Vendor, tmp_path: Path) -> None:
    result = conclude(tmp_path, endpoint(one="critical", two="degraded"), slack=slack(there))
    (told,) = there.of(WEBHOOK)
    lines = told["text"].splitlines()
    assert lines[0] == "*sandbox health: CRITICAL*"
    assert lines[1] == "• 1 checks ran, 0 skipped, 0 could not run; 1 degraded, 1 critical"
    assert lines[3] == f"• CRITICAL (new) redis.memory us-east-1/redis/one: one is &lt;full&gt; &amp; more Runbook: {RUNBOOK}"
    assert lines[-1].startswith("• Report: ")
    assert len(lines) == 6
    assert troubles(result) == {}


def test_a_bot_writes_to_its_channel(there: Vendor, tmp_path: Path) -> None:
    conclude(tmp_path, endpoint(one="critical"), slack={"token": TOKEN, "channel": "C0123", "api_url": f"{there.url}/api/", "ca_file": there.ca_file})
    (told,) = there.of(POST_MESSAGE)
    assert told["channel"] == "C0123"
    assert there.tokens == [f"Bearer {TOKEN}"]


def test_a_mail_goes_encrypted_to_everybody(office: Post, tmp_path: Path) -> None:
    result = conclude(tmp_path, endpoint(one="critical"), mail=mail(office))
    assert troubles(result) == {}
    ((recipients, text),) = office.mails
    assert recipients == ["oncall@example.com", "ops@example.com"]
    read = email.message_from_string(text, policy=email.policy.default)
    assert (read["Subject"], read["Auto-Submitted"]) == ("sandbox health: CRITICAL", "auto-generated")
    assert f"CRITICAL (new) redis.memory us-east-1/redis/one: one is <full> & more Runbook: {RUNBOOK}" in read.get_content()


def test_a_finding_is_one_incident_for_as_long_as_it_lasts(there: Vendor, tmp_path: Path) -> None:
    def told(day: int, **findings: str) -> list[tuple[str, str]]:
        assert troubles(conclude(tmp_path, endpoint(**findings), day, pagerduty=pages(there))) == {}
        return there.events()

    assert told(1, one="critical", two="unknown", three="degraded") == [("trigger", key("one")), ("trigger", key("two"))]
    assert told(2, one="critical", two="unknown", four="critical") == [("trigger", key("four")), ("trigger", key("one")), ("trigger", key("two"))]
    # No longer as bad as was asked for, and gone.
    assert told(3, one="degraded", four="critical", two="critical") == [("resolve", key("one")), ("trigger", key("four")), ("trigger", key("two"))]
    assert told(4) == [("resolve", key("four")), ("resolve", key("two"))]
    assert told(5) == []


def test_what_could_not_be_resolved_is_resolved_the_next_time(there: Vendor, tmp_path: Path) -> None:
    conclude(tmp_path, endpoint(one="critical"), 1, pagerduty=pages(there))
    assert there.events() == [("trigger", key("one"))]
    there.does = "500"
    assert "PagerDuty answered 500" in troubles(conclude(tmp_path, endpoint(), 2, pagerduty=pages(there)))["control/sinks/pagerduty"]
    there.does = "well"
    conclude(tmp_path, endpoint(), 3, pagerduty=pages(there))
    assert there.events() == [("resolve", key("one"))]


def test_what_was_not_looked_at_stays_open(there: Vendor, tmp_path: Path) -> None:
    conclude(tmp_path, endpoint(one="critical"), 1, pagerduty=pages(there))
    there.received.clear()
    conclude(tmp_path, [{"system": "redis", "region": "us-east-1", "error": "no answer"}], 2, pagerduty=pages(there, at_least="critical"))
    assert there.events() == []


def test_only_what_is_asked_for_is_sent(there: Vendor, office: Post, tmp_path: Path) -> None:
    asked = {"slack": slack(there, only_new=True), "mail": mail(office, at_least="critical")}
    conclude(tmp_path, endpoint(one="degraded"), 1, **asked)
    assert (len(there.of(WEBHOOK)), len(office.mails)) == (1, 0)
    conclude(tmp_path, endpoint(one="degraded"), 2, **asked)
    assert (len(there.of(WEBHOOK)), len(office.mails)) == (1, 0)
    conclude(tmp_path, endpoint(one="critical"), 3, **asked)
    assert (len(there.of(WEBHOOK)), len(office.mails)) == (2, 1)
    conclude(tmp_path, endpoint(), 4, **asked)
    assert "Resolved (1): redis.memory us-east-1/redis/one" in there.of(WEBHOOK)[2]["text"]
    assert (len(there.of(WEBHOOK)), len(office.mails)) == (3, 2)
    conclude(tmp_path, endpoint(), 5, **asked)
    assert (len(there.of(WEBHOOK)), len(office.mails)) == (3, 2)
    conclude(tmp_path, endpoint(), 6, slack=slack(there, at_least="ok"))
    assert there.of(WEBHOOK)[3]["text"].startswith("*sandbox health: OK*")


def test_a_check_run_sends_nothing_and_says_what_it_would(there: Vendor, office: Post, tmp_path: Path) -> None:
    result = conclude(tmp_path, endpoint(one="critical"), check=True, slack=slack(there), mail=mail(office, at_least="critical"), pagerduty=pages(there))
    assert (there.received, office.mails) == ([], [])
    assert not (tmp_path / "health" / "pagerduty.json").exists()
    notes = result["report"]["notes"]
    assert notes == [
        "check run: nothing was sent to slack; a real run would send 'sandbox health: CRITICAL', 4 lines",
        "check run: nothing was sent to mail; a real run would send 'sandbox health: CRITICAL', 4 lines, to oncall@example.com, Ops <ops@example.com>",
        "check run: nothing was sent to pagerduty; a real run would send 1 event(s) to trigger",
    ]


SLOW = 1.5
FAILS = {
    "500": ("Slack answered 500: no", "PagerDuty answered 500 and did not take it"),
    "html": ("Slack answered 200: <!doctype html><title>Sign in</title>", "PagerDuty answered 200 and did not take it"),
    "hang": ("", ""),  # in whose words the time runs out depends on who notices first
    "echo": ("Slack answered 500: ", "PagerDuty answered 500 and did not take it"),
}


@pytest.mark.parametrize("does", FAILS)
def test_a_receiver_that_fails_is_a_finding_and_hinders_nothing(does: str, there: Vendor, office: Post, tmp_path: Path) -> None:
    there.does = does
    began = time.monotonic()
    result = conclude(
        tmp_path, endpoint(one="degraded"), slack=slack(there, timeout=SLOW), mail=mail(office), pagerduty=pages(there, at_least="degraded", timeout=SLOW)
    )
    assert time.monotonic() - began < 2 * SLOW + 1
    found = troubles(result)
    assert set(found) == {"control/sinks/slack", "control/sinks/pagerduty"}
    for sink, words in zip(("slack", "pagerduty"), FAILS[does], strict=True):
        assert found[f"control/sinks/{sink}"].startswith(f"the report could not be sent to {sink} (health_{sink}): {words}")
    assert (result["verdict"], result["failing"]) == ("degraded", False)
    assert len(office.mails) == 1
    assert "health.sinks" in result["summary"]
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.*ml") if path.is_file()) + json.dumps(result["report"])
    assert [secret for secret in (HOOK.rpartition("/")[2], ROUTING, PASSWORD) if secret in written] == []


@pytest.mark.parametrize(("does", "words"), [("500", "Slack answered 500"), ("html", "Slack answered 200"), ("no", "Slack answered 200: channel_not_found")])
def test_a_bot_that_is_refused_is_told_why(does: str, words: str, there: Vendor, tmp_path: Path) -> None:
    there.does = does
    bot = {"token": TOKEN, "channel": "C0123", "api_url": f"{there.url}/api/", "ca_file": there.ca_file}
    found = troubles(conclude(tmp_path, endpoint(one="critical"), slack=bot))
    assert found["control/sinks/slack"].startswith(f"the report could not be sent to slack (health_slack): {words}"), found


def test_nobody_there_is_a_finding_for_each(office: Post, tmp_path: Path) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    sinks = {
        "slack": {"webhook_url": f"{url}/services/{HOOK}"},
        "mail": mail(office, port=free_port()),
        "pagerduty": {"routing_key": ROUTING, "api_url": url},
    }
    found = troubles(conclude(tmp_path, endpoint(one="critical"), **sinks))
    assert set(found) == {"control/sinks/slack", "control/sinks/mail", "control/sinks/pagerduty"}
    assert all("refused" in found[f"control/sinks/{sink}"] for sink in ("slack", "mail"))
    assert "did not answer (ConnectError)" in found["control/sinks/pagerduty"]
    result = conclude(tmp_path, endpoint(), 2, **sinks, fail_on=["degraded"])
    assert (result["verdict"], result["failing"]) == ("degraded", True)


def test_a_mail_server_that_refuses_says_why(office: Post, tmp_path: Path) -> None:
    office.refuses = "oncall@example.com"
    found = troubles(conclude(tmp_path, endpoint(one="critical"), 1, mail=mail(office)))
    assert found["control/sinks/mail"].endswith("the mail server refused oncall@example.com, and took the message for the others")
    assert [recipients for recipients, _text in office.mails] == [["ops@example.com"]]
    wrong = f"{PASSWORD}-wrong"
    found = troubles(conclude(tmp_path, endpoint(one="critical"), 2, mail=mail(office, password=wrong)))
    assert "SMTPAuthenticationError" in found["control/sinks/mail"]
    assert wrong not in str(found)
    found = troubles(conclude(tmp_path, endpoint(one="critical"), 3, mail=mail(office, ca_file=None)))
    assert "CERTIFICATE_VERIFY_FAILED" in found["control/sinks/mail"]
    assert len(office.mails) == 1


def test_inputs_that_give_secrets_away_are_refused(tmp_path: Path) -> None:
    sinks = {
        "slack": {"webhook_url": f"http://hooks.example.com/services/{HOOK}"},
        "mail": {"host": "localhost", "security": "none", "username": "health", "password": PASSWORD, "sender": "a@b.example", "to": ["c@d.example"]},
        "pagerduty": {"routing_key": ROUTING, "timeout": 0},
    }
    refused = conclude(tmp_path, endpoint(), **sinks)
    assert refused["failed"] is True
    assert [problem.split(" ")[0] for problem in refused["problems"]] == ["health_slack:", "health_mail:", "health_pagerduty:"]
    assert conclude(tmp_path, endpoint(), slack={"at_least": "ok"})["failed"] is True
    assert list(tmp_path.iterdir()) == []


def test_a_lost_list_of_what_is_open_is_told(there: Vendor, tmp_path: Path) -> None:
    (tmp_path / "health").mkdir()
    (tmp_path / "health" / "pagerduty.json").write_text("{half", encoding="utf-8")
    found = troubles(conclude(tmp_path, endpoint(one="critical"), 1, pagerduty=pages(there)))
    assert list(found) == ["control/sinks/pagerduty_open"]
    assert there.events() == [("trigger", key("one"))]
    assert troubles(conclude(tmp_path, endpoint(one="critical"), 2, pagerduty=pages(there))) == {}
    assert len(there.of(ENQUEUE)) == 1


# Secrets in every place where a run gets one.


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of nested mappings, with the path to it."""
    if isinstance(value, dict):
        for word, inner in value.items():
            yield from leaves(inner, f"{name}-{word}")
    elif isinstance(value, str):
        yield name, value


def planted(value: Any, name: str = "planted") -> Any:
    """The same with every text replaced by one that is recognised."""
    if isinstance(value, dict):
        return {word: planted(inner, f"{name}-{word}") for word, inner in value.items()}
    return f"{name}-{secrets.token_hex(8)}" if isinstance(value, str) else value


def everything(folder: Path, there: Vendor, office: Post, printed: str) -> str:
    """What was printed, written and received, but for where a receiver must be shown its own secret."""
    files = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
    # JSON and HTML, both twice; history, Prometheus, JUnit; what is open in PagerDuty, if anything is.
    assert len(files) == 7 + bool(there.of(ENQUEUE))
    sent = [{**told, "routing_key": ""} for _path, told in there.received]
    return "".join(
        [printed, *files, json.dumps(sent), *(email.message_from_string(text, policy=email.policy.default).get_content() for _recipients, text in office.mails)]
    )


@pytest.mark.sandbox
@pytest.mark.parametrize("case", ["accounts that work", "accounts that are refused"])
def test_no_secret_of_a_run_is_written_or_sent(
    case: str, run_playbook: Any, sandbox: dict[str, Any], credentials: dict[str, Any], there: Vendor, office: Post, tmp_path: Path
) -> None:
    files = {"health_prometheus_file": str(tmp_path / "health.prom"), "health_junit_file": str(tmp_path / "health.xml")}
    sinks = {"health_slack": slack(there, at_least="ok"), "health_mail": mail(office, at_least="ok"), "health_pagerduty": pages(there, at_least="degraded")}
    given = {**files, **sinks, "report_dir": str(tmp_path), "health_connect_timeout": 20}
    hidden = dict(leaves(credentials)) | {"hook": HOOK.rpartition("/")[2], "mail": PASSWORD, "routing": ROUTING}
    for region, parts in sandbox["regions"].items():
        kubeconfig = yaml.safe_load(Path(parts["kubernetes"]["health_kubeconfig"]).read_text(encoding="utf-8"))
        hidden |= {f"{region}-{name}": value for user in kubeconfig["users"] for name, value in leaves(user["user"]) if "certificate" not in name}
    if case == "accounts that are refused":
        wrong = planted(credentials)
        given["leanvibe_ops_sandbox_credentials"] = wrong
        hidden |= {f"planted-{name}": value for name, value in leaves(wrong)}
    done = run_playbook("health", "-vvv", extra_vars=given)
    assert (len(there.of(WEBHOOK)), len(office.mails)) == (1, 1), done.stdout[-3000:]
    told = json.loads((tmp_path / "health" / "latest.json").read_text(encoding="utf-8"))
    refused = {item["subject"].split("/")[1] for item in told["items"] if item["verdict"] == "unknown"}
    systems = {"postgresql", "pgbouncer", "redis", "neo4j", "object_store"}
    assert refused & systems == (systems if case == "accounts that are refused" else set())
    assert len(hidden) > 30
    said = everything(tmp_path, there, office, done.stdout + done.stderr)
    assert [name for name, secret in hidden.items() if not name.endswith("access_key_id") and secret in said] == []  # an id is a name
