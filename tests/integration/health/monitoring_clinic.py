# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus, an Alertmanager and an exporter of the test's own, run by the sandbox's programs: they can be broken without harming anybody.

Everything goes once a second, so that what takes minutes elsewhere takes seconds here. What is broken is read back by plain HTTP.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
import urllib.parse
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
import yaml
from health_cluster import look
from module_runs import eventually
from receivers import free_port
from wrong_clocks import Proxy

WATCHDOG = {"alert": "Watchdog", "expr": "vector(1)", "labels": {"severity": "none"}}
TARGET_DOWN = {"alert": "TargetDown", "expr": "up == 0", "for": "1s", "labels": {"severity": "critical"}}
OPTIONS = {"jobs": ["app"], "metrics": ["app_requests_total", "app_up"], "timestamps": {"app_time_seconds": 60}}


class Exporter:
    """An exporter that tells what it is told to."""

    def __init__(self) -> None:
        self.behind, self.error = 0.0, 0
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                figures = {"app_up": 1, "app_requests_total": 5, "app_time_seconds": time.time() - told.behind, "app_exporter_last_scrape_error": told.error}
                body = "".join(f"{name} {value}\n" for name, value in figures.items()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def kill(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True)
class Door:
    """Both servers speak TLS and ask for name and password, as their ``--web.config.file`` says."""

    shown: Path
    key: Path
    username: str = "clinic"
    password: str = "a-password-of-the-clinic"

    @property
    def connection(self) -> dict[str, str]:
        """What the health check is given."""
        return {"ca_file": str(self.shown), "username": self.username, "password": self.password}

    def asking(self) -> dict[str, Any]:
        """How Prometheus asks somebody behind it."""
        return {"scheme": "https", "tls_config": {"ca_file": str(self.shown)}, "basic_auth": {"username": self.username, "password": self.password}}

    def config(self) -> dict[str, Any]:
        """The servers' file; its hash is that of the password (bcrypt)."""
        tls = {"cert_file": str(self.shown), "key_file": str(self.key)}
        return {"tls_server_config": tls, "basic_auth_users": {self.username: "$2b$04$NlLoxV7XLMRm4SYb1U33T.QdS0/xvjrM61As3tOTKFBAmzY1s7lnm"}}


class Program:
    """One of the two servers."""

    def __init__(self, argv: list[str], folder: Path, port: int, door: Door | None = None) -> None:
        self.url = f"http{'s' if door else ''}://localhost:{port}"
        # An expired certificate is what some tests are about.
        self._pool = urllib3.PoolManager(cert_reqs="CERT_NONE")
        self._headers = urllib3.make_headers(basic_auth=f"{door.username}:{door.password}") if door else {}
        self._log = (folder / "log").open("ab")
        self.process = subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stdout=self._log, stderr=self._log, cwd=folder)

    def get(self, path: str) -> Any:
        return self.ask("GET", path).json()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        with warnings.catch_warnings(action="ignore", category=urllib3.exceptions.InsecureRequestWarning):
            return self._pool.request(method, self.url + path, json=body, headers=self._headers, timeout=5, retries=False)

    def answers(self) -> bool:
        try:
            return bool(self.ask("GET", "/-/ready").status == 200)
        except urllib3.exceptions.HTTPError:
            return False

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(10)
        self._log.close()


class Clinic:
    """All three. ``prometheus_file`` and the like are their configurations, to be changed and read again."""

    def __init__(self, data: Path, folder: Path, door: Door | None = None) -> None:
        self.door = door
        programs = json.loads((data / "binaries.json").read_text(encoding="utf-8"))
        self.folder = folder
        self.exporter = Exporter()
        self.proxies: dict[str, Proxy] = {}
        ports = free_port(), free_port()
        self.scraped = {"app": self.exporter.port, "prometheus": ports[0], "alertmanager": ports[1]}
        self._alertmanager_port = ports[1]
        self.configure()
        self.rules([WATCHDOG, TARGET_DOWN])
        self.route([])
        web = []
        if door is not None:
            self.write("web.yml", door.config())
            web = [f"--web.config.file={folder}/web.yml"]
        command = [programs["prometheus-alertmanager"], f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am", "--cluster.listen-address="]
        self.alertmanager = Program([*command, *web], folder, ports[1], door)
        eventually(self.alertmanager.answers, self.alertmanager.url)  # or the first notifications are lost on a busy machine
        arguments = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", "--rules.alert.resend-delay=1s")
        self.prometheus = Program([programs["prometheus"], *arguments, *web], folder, ports[0], door)

    def configure(self, **change: Any) -> None:
        """Write Prometheus' configuration."""
        asking = self.door.asking() if self.door else {}
        jobs = [
            {"job_name": name, "static_configs": [{"targets": [f"localhost:{port}"]}], **(asking if name != "app" else {})}
            for name, port in self.scraped.items()
        ]
        whole = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.folder / "rules.yml")],
            "alerting": {"alertmanagers": [{"timeout": "1s", "static_configs": [{"targets": [f"localhost:{self._alertmanager_port}"]}], **asking}]},
            "scrape_configs": jobs,
        }
        self.write("prometheus.yml", {**whole, **change})

    def rules(self, rules: list[dict[str, Any]]) -> None:
        self.write("rules.yml", {"groups": [{"name": "clinic", "rules": rules}]})

    def route(self, webhooks: list[str]) -> None:
        """Write Alertmanager's configuration: whom it calls."""
        receiver = {"name": "somebody", "webhook_configs": [{"url": url, "send_resolved": False} for url in webhooks]}
        self.write("alertmanager.yml", {"route": {"receiver": "somebody", "group_wait": "1s", "group_interval": "1s"}, "receivers": [receiver]})

    def write(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")

    def reload(self, program: Program) -> None:
        program.process.send_signal(signal.SIGHUP)

    def series(self, expression: str) -> list[dict[str, Any]]:
        """What an instant query answers."""
        return list(self.prometheus.get(f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")["data"]["result"])

    def until(self, expression: str, seconds: float = 40) -> None:
        """Wait until a query has an answer."""
        eventually(lambda: self.series(expression), expression, seconds)

    def silence(self, minutes: float, author: str, *matchers: tuple[str, str, bool]) -> None:
        """Silence something from now on."""
        told = [{"name": name, "value": value, "isRegex": regex, "isEqual": True} for name, value, regex in matchers]
        now = time.time()
        stamps = {name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for name, at in (("startsAt", now - 1), ("endsAt", now + 60 * minutes))}
        body = {"matchers": told, "createdBy": author, "comment": "made by a test", **stamps}
        assert self.alertmanager.ask("POST", "/api/v2/silences", body).status == 200
        eventually(lambda: [one for one in self.alertmanager.get("/api/v2/silences") if one["status"]["state"] == "active"], "the silence")

    def well(self) -> None:
        """Wait until everything is up, was read twice, and an alert has arrived."""
        for program in (self.prometheus, self.alertmanager):
            eventually(program.answers, program.url)
        counters = "prometheus_tsdb_wal_writes_failed_total alertmanager_notifications_failed_total prometheus_notifications_errors_total app_up"
        for name in counters.split():
            self.until(f"count_over_time({name}[1m]) > 1")
        self.until("count(up == 1) == 3")
        eventually(lambda: self.alertmanager.get("/api/v2/alerts"), "the Watchdog in Alertmanager")

    def clock(self, name: str, ahead: float) -> None:
        """One of the two is reached over somebody who tells another time."""
        self.proxies[f"{name}_url"] = Proxy(getattr(self, name).url, ahead)

    def look(self, **change: Any) -> dict[str, Any]:
        connection = {"prometheus_url": self.prometheus.url, "alertmanager_url": self.alertmanager.url}
        connection |= {name: proxy.url for name, proxy in self.proxies.items()} | (self.door.connection if self.door else {}) | change.pop("connection", {})
        connection = {name: value for name, value in connection.items() if value is not None}
        # However many notifications are lost meanwhile: it is the same finding.
        arguments = {"options": OPTIONS, "thresholds": {"monitoring.notifications": {"critical": None}}, **change}
        return look("monitoring", region="us-east-1", connection=connection, **arguments)

    def end(self) -> None:
        for part in (self.prometheus, self.alertmanager, *self.proxies.values()):
            part.end()


Do = Callable[[Clinic], Any]
Found = set[tuple[str, str, str]]

OF_PROMETHEUS = (
    *("prometheus_certificate", "prometheus", "prometheus_clock", "prometheus_config", "storage", "writes", "targets", "scrapes", "stale_data"),
    *("exporters", "rules", "rule_groups", "metrics", "alerts", "watchdog", "notifications"),
)

OF_ALERTMANAGER = ("alertmanager_certificate", "alertmanager", "alertmanager_clock", "alertmanager_config", "alertmanager_cluster", "delivery", "silences")


def silent(checks: Iterable[str]) -> Found:
    """All of a server's checks are unknown."""
    return {(name, "", "unknown") for name in checks}


def _exporter_killed(clinic: Clinic) -> None:
    clinic.exporter.kill()
    clinic.until('ALERTS{alertname="TargetDown",alertstate="firing"}')
    clinic.until("absent(app_up)")


def _behind(clinic: Clinic) -> None:
    clinic.exporter.behind = 400
    clinic.until("time() - app_time_seconds > 300")


def _ahead(clinic: Clinic) -> None:
    """Prometheus, and so whoever is asked by it is behind."""
    clinic.exporter.behind = 120
    clinic.until("time() - app_time_seconds > 100")
    clinic.clock("prometheus", 120)


def _cannot_read(clinic: Clinic) -> None:
    clinic.exporter.error = 1
    clinic.until("app_exporter_last_scrape_error == 1")


def _without_targets(clinic: Clinic) -> None:
    clinic.configure(scrape_configs=[])
    clinic.reload(clinic.prometheus)
    eventually(lambda: not clinic.prometheus.get("/api/v1/targets")["data"]["activeTargets"], "no targets")


def _without_a_job(clinic: Clinic) -> None:
    del clinic.scraped["app"]
    clinic.configure()
    clinic.reload(clinic.prometheus)
    eventually(lambda: len(clinic.prometheus.get("/api/v1/targets")["data"]["activeTargets"]) == 2, "two targets")


def _bad_configuration(clinic: Clinic) -> None:
    clinic.write("prometheus.yml", "no: configuration")
    clinic.reload(clinic.prometheus)
    eventually(lambda: not clinic.prometheus.get("/api/v1/status/runtimeinfo")["data"]["reloadConfigSuccess"], "the reload that fails")


def _bad_routing(clinic: Clinic) -> None:
    clinic.write("alertmanager.yml", "no: configuration")
    clinic.reload(clinic.alertmanager)
    clinic.until("alertmanager_config_last_reload_successful == 0")


def _with_rules(*rules: dict[str, Any], until: str) -> Do:
    def do(clinic: Clinic) -> None:
        clinic.rules(list(rules))
        clinic.reload(clinic.prometheus)
        clinic.until(until)

    return do


def _rule_fails(clinic: Clinic) -> None:
    twice = {"alert": "Twice", "expr": 'label_replace(label_replace(up, "job", "x", "", ""), "instance", "x", "", "") > 0', "labels": {"severity": "critical"}}
    clinic.rules([WATCHDOG, TARGET_DOWN, twice])
    clinic.reload(clinic.prometheus)

    def failing() -> bool:
        groups = clinic.prometheus.get("/api/v1/rules")["data"]["groups"]
        return any(rule["health"] == "err" for group in groups for rule in group["rules"])

    eventually(failing, "the rule that fails")


def _no_rules(clinic: Clinic) -> None:
    clinic.configure(rule_files=[])
    clinic.reload(clinic.prometheus)
    eventually(lambda: not clinic.prometheus.get("/api/v1/rules")["data"]["groups"], "no rules")
    clinic.until("absent(ALERTS)")


def _nobody_takes_calls(clinic: Clinic) -> None:
    clinic.route([f"http://localhost:{free_port()}/"])
    clinic.reload(clinic.alertmanager)
    clinic.until("increase(alertmanager_notifications_failed_total[1m]) >= 2")


def _stopped(how: signal.Signals) -> Do:
    def do(clinic: Clinic) -> None:
        clinic.alertmanager.process.send_signal(how)
        clinic.until('ALERTS{alertname="TargetDown",alertstate="firing"}')
        clinic.until("increase(prometheus_notifications_errors_total[1m]) >= 2")

    return do


def _prometheus(how: signal.Signals) -> Do:
    def do(clinic: Clinic) -> None:
        clinic.prometheus.process.send_signal(how)
        eventually(lambda: clinic.prometheus.process.poll() is not None or how is signal.SIGSTOP, "the end of Prometheus")

    return do


_LOUD = {"alert": "Loud", "expr": 'label_replace(vector(1), "tenant", "acme", "", "")', "labels": {"severity": "warning"}}
_QUIET = {"alert": "Quiet", "expr": "vector(1)", "labels": {"severity": "info"}}
_DEAD_ALERTMANAGER = silent(OF_ALERTMANAGER) | {
    ("targets", "alertmanager", "critical"),
    ("alerts", "TargetDown", "critical"),
    # What it drops is not counted yet: it was started a moment ago.
    ("notifications", "prometheus_errors", "degraded"),
}
_NO_APP: Found = {("metrics", "app_up", "degraded"), ("metrics", "app_requests_total", "degraded"), ("stale_data", "app_time_seconds", "unknown")}

# What is done, and all that may be told of it, and must be: check, what follows the place in the subject, verdict.
FAULTS: dict[str, tuple[Do, Found]] = {
    "exporter killed": (_exporter_killed, _NO_APP | {("targets", "app", "critical"), ("alerts", "TargetDown", "critical")}),
    "exporter tells of the past": (_behind, {("stale_data", "app_time_seconds/app/localhost", "degraded")}),
    "exporter cannot read": (_cannot_read, {("exporters", "app/localhost", "degraded")}),
    # What is no longer asked for stays in queries for another 5 min.
    "no targets": (_without_targets, {("targets", "", "critical"), ("scrapes", "", "unknown")}),
    "a job without targets": (_without_a_job, {("targets", "app", "critical")}),
    "configuration that is refused": (_bad_configuration, {("prometheus_config", "", "critical")}),
    "routing that is refused": (_bad_routing, {("alertmanager_config", "", "critical")}),
    "rule that fails": (_rule_fails, {("rules", "clinic/Twice", "critical")}),
    "no rules": (_no_rules, {("rules", "", "critical"), ("rule_groups", "", "unknown"), ("watchdog", "", "critical")}),
    "no watchdog": (_with_rules(TARGET_DOWN, until='absent(ALERTS{alertname="Watchdog"})'), {("watchdog", "", "critical")}),
    "alert fires": (_with_rules(WATCHDOG, TARGET_DOWN, _LOUD, until='ALERTS{alertname="Loud"}'), {("alerts", "Loud", "degraded")}),
    "alert that nobody must act on": (_with_rules(WATCHDOG, TARGET_DOWN, _QUIET, until='ALERTS{alertname="Quiet"}'), set()),
    "nobody takes calls": (_nobody_takes_calls, {("notifications", "alertmanager", "degraded")}),
    "alertmanager killed": (_stopped(signal.SIGKILL), _DEAD_ALERTMANAGER),
    "alertmanager paused": (_stopped(signal.SIGSTOP), _DEAD_ALERTMANAGER),
    "prometheus killed": (_prometheus(signal.SIGKILL), silent(OF_PROMETHEUS)),
    "prometheus paused": (_prometheus(signal.SIGSTOP), silent(OF_PROMETHEUS)),
    "prometheus' clock is ahead": (_ahead, {("prometheus_clock", "", "critical"), ("stale_data", "app_time_seconds/app/localhost", "degraded")}),
    "alertmanager's clock is ahead": (lambda clinic: clinic.clock("alertmanager", 100), {("alertmanager_clock", "", "critical")}),
    "silence on everything": (lambda clinic: clinic.silence(600, "bob", ("alertname", ".+", True)), {("silences", "*", "critical")}),
    "own silence that ends": (lambda clinic: clinic.silence(20, "leanvibe.ops", ("job", "app", False)), {("silences", "*", "degraded")}),
    "silence of somebody": (lambda clinic: clinic.silence(20, "bob", ("job", "app", False)), set()),
}
