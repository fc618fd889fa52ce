# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server made of prepared answers: a healthy primary and a healthy standby, in which a test changes single answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Selection, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems import postgresql
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.postgresql import (
    availability,
    certificate,
    clock,
    counters,
    heartbeat,
    indexes,
    isolation,
    replication,
    sequences,
    server,
    sessions,
    slots,
    storage,
    vacuum,
    wraparound,
)
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database.audit import Audit

PARAMS = {"host": "db.example.com", "port": 5432, "database": "leanvibe", "username": "leanvibe_health", "driver": "postgresql", "sslmode": "verify-full"}
NOW = 1_800_000_000.0
MEBIBYTE = 2**20
SEGMENT = 16 * MEBIBYTE

DEFAULTS = {
    "archive_mode": "on",
    "autovacuum": "on",
    "autovacuum_freeze_max_age": "200000000",
    "autovacuum_multixact_freeze_max_age": "400000000",
    "data_checksums": "on",
    "default_transaction_read_only": "off",
    "max_connections": "103",
    "max_slot_wal_keep_size": "1024",
    "primary_conninfo": "host=primary",
    "recovery_min_apply_delay": "0",
    "shared_buffers": "8192",
    "superuser_reserved_connections": "3",
    "synchronous_standby_names": "",
    "track_counts": "on",
    "wal_segment_size": str(SEGMENT),
}


def setting(name: str, value: str, **change: Any) -> dict[str, Any]:
    return {"name": name, "setting": value, "unit": None, "source": "configuration file", "category": "Any", "pending_restart": False, **change}


def settings(**changed: str) -> list[dict[str, Any]]:
    return [setting(name, value) for name, value in {**DEFAULTS, **changed}.items()]


def session(pid: int, **change: Any) -> dict[str, Any]:
    """One row of pg_stat_activity: an idle session of the application."""
    usual = {"pid": pid, "role": "leanvibe_app", "database": "leanvibe", "application": "api", "kind": "client backend", "state": "idle", "in_state": 5.0}
    return {**usual, "in_transaction": None, "blockers": [], "waiting": None, **change}


def slot(**change: Any) -> dict[str, Any]:
    return {"name": "standby_west", "kind": "physical", "active": True, "status": "reserved", "unused": False, "kept": 4096.0, **change}


def standby(**change: Any) -> dict[str, Any]:
    return {"name": "standby_west", "state": "streaming", "sync_state": "async", "behind": 0.0, "seconds": None, **change}


def archiver(**change: Any) -> dict[str, Any]:
    """Segment 5 is archived, and the server writes into segment 6."""
    usual = {"archived": "000000010000000000000005", "failed": None, "failures": 0, "failing": False, "age": 40.0, "position": 6.5 * SEGMENT}
    return {**usual, **change}


def reading(**change: float) -> dict[str, float]:
    """Counters as an earlier run left them, ten minutes ago."""
    return {"at": NOW - 600, "started": NOW - 9e5, "reset": 5.0, "hits": 1e6, "reads": 1e4, "deadlocks": 3.0, "temporary": 1e9, **change}


def primary() -> dict[str, Any]:
    """The answers of a healthy primary, by query; a function answers when it is asked."""
    return {
        server._STATE: [{"recovering": False, "version": 150018, "now": NOW, "started": NOW - 9e5}],
        server._SETTINGS: settings(),
        clock._CLOCK: lambda: [{"now": time.time()}],
        availability._IDENTITY: [{"identifier": "7000000000000000001"}],
        availability._DEFAULTS: [],
        counters._COUNTERS: [{**reading(), "at": NOW, "hits": 2e6, "reads": 2e4}],
        heartbeat._MADE: [{"made": True}],
        heartbeat._HEARTBEAT: [{"at": NOW - 1.5, "now": NOW}],
        replication._STANDBYS: [standby()],
        replication._SLOTS: [{"name": "standby_west"}],
        slots._SLOTS: [slot()],
        sessions._ACTIVITY: [session(11), session(12, role="tenant_acme_corp"), session(13, kind="checkpointer", role=None, state=None)],
        sessions._LIMITS: [{"role": "tenant_acme_corp", "limit": 5}],
        sessions._PREPARED: [],
        storage._CHECKSUMS: [],
        storage._ARCHIVER: [archiver()],
        storage._WAITING: [{"waiting": 0}],
        wraparound._DATABASES: [{"name": "leanvibe", "transactions": 5_000, "multixacts": 10}, {"name": "template0", "transactions": 9_000, "multixacts": 10}],
        wraparound._TABLES: [{"name": "pg_catalog.pg_class", "transactions": 5_000, "multixacts": 10}],
        vacuum._DEAD: [],
        vacuum._TABLES: [{"number": 90}],
        vacuum._BLOAT: [{"schema": "leanvibe", "name": "leanvibe.tasks", "size": 1e8, "known": True, "share": 12.0, "wasted": 1.2e7}],
        indexes._NUMBER: [{"number": 140}],
        indexes._INVALID: [],
        indexes._DUPLICATE: [],
        indexes._UNUSED: [],
        indexes._SINCE: [{"seconds": 40 * 86400.0}],
        sequences._SEQUENCES: [sequence()],
    }


def sequence(**change: Any) -> dict[str, Any]:
    usual = {"schema": "leanvibe", "name": "leanvibe.audit_events_event_id_seq", "up": True, "most": 2**63 - 1, "least": 1, "readable": True, "last": 1000}
    return {**usual, "column": "audit_events.event_id", **change}


def replica() -> dict[str, Any]:
    """The answers of a healthy standby."""
    return {
        **primary(),
        server._STATE: [{"recovering": True, "version": 150018, "now": NOW, "started": NOW - 9e5}],
        slots._SLOTS: [],
        replication._RECEIVER: [{"status": "streaming", "slot": "standby_west", "silent": 2.0}],
        replication._REPLAY: [{"paused": False, "position": "0/6000000", "behind": 0.0, "seconds": 5000.0}],
    }


class Prepared(server.Server):
    """Answers by query; an answer that is an exception is raised."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(connection=None, params=PARAMS)  # type: ignore[arg-type]
        self.answers = answers
        self.asked: list[str] = []

    def rows(self, query: Any, values: Any = None) -> Any:
        self.asked.append(query)
        answer = self.answers[query]
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    def limit(self, seconds: float) -> None:
        self.limited = seconds

    def writes(self) -> str:
        answer = self.answers.get("write", "771")
        if isinstance(answer, Exception):
            raise answer
        return str(answer)


def look(
    changed: Mapping[str, Any] | None = None,
    *,
    only: str = "",
    on: Callable[[], dict[str, Any]] = primary,
    audit: Any = None,
    certificate_shown: Any = b"",
    **options: Any,
) -> Run:
    """The run over a healthy server with these answers (by query) changed; ``options`` as the inventory gives them."""
    made = Prepared({**on(), **(changed or {})})
    link = replace(server.link(PARAMS), connect=lambda _seconds: made, close=lambda _server: None, answers=lambda _server, _seconds: None)
    judged = mock.Mock(side_effect=[audit] if audit is not None else [Audit((), (), {})])
    shown = mock.Mock(side_effect=[served(90) if certificate_shown == b"" else certificate_shown])
    with mock.patch.object(isolation, "audit", judged), mock.patch.object(certificate, "served", shown):
        selection = Selection(only=[only] if only else ())
        run = run_checks(postgresql.CHECKS, link, system="postgresql", region="us-east-1", selection=selection, options=options)
    run.facts["asked"] = made.asked
    return run


def served(days: float) -> bytes:
    """A certificate (DER) that is valid for so many days from now."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "db.example.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(now - timedelta(days=400)).not_valid_after(now + timedelta(days=days))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def found(run: Run) -> dict[str, str]:
    """Verdicts by what they are about, without the endpoint's name."""
    return {f"{item['id']}:{item['subject'].removeprefix('us-east-1/postgresql').removeprefix('/')}": item["verdict"] for item in run.items}
