# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of PostgreSQL on prepared answers: well, degraded, critical, no answer, a right that is missing."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import postgresql_fakes
import psycopg
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems import ranking
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.postgresql import (
    CHECKS,
    COMPARISONS,
    availability,
    certificate,
    clock,
    counters,
    heartbeat,
    indexes,
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
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database.audit_rules import Finding as Gap
from postgresql_fakes import MEBIBYTE, NOW, SEGMENT, archiver, found, look, reading, replica, sequence, served, session, setting, settings, slot, standby

DENIED = psycopg.errors.InsufficientPrivilege("permission denied for view pg_stat_activity")
GIBIBYTE = 1024 * MEBIBYTE

# What is skipped on a healthy server, and why that is right.
ON_PRIMARY = {"postgresql.receiver", "postgresql.replay"}
ON_STANDBY = {
    "postgresql.writable",
    "postgresql.heartbeat",
    "postgresql.standbys",
    "postgresql.prepared_transactions",
    "postgresql.archiving",
    "postgresql.archive_queue",
    "postgresql.wraparound",
    "postgresql.multixact_wraparound",
    "postgresql.isolation",
    "postgresql.autovacuum",
    "postgresql.bloat",
    "postgresql.invalid_indexes",
    "postgresql.duplicate_indexes",
    "postgresql.sequences",
}


def test_a_healthy_primary() -> None:
    run = look(role="primary", counters_before=reading())
    verdicts = Counter(item["verdict"] for item in run.items)
    assert {item["id"] for item in run.items if item["verdict"] == "skipped"} == ON_PRIMARY
    assert set(verdicts) == {"ok", "skipped"}
    assert {done.id for done in run.checks} == {check.id for check in CHECKS}
    json.dumps(run.to_mapping(), allow_nan=False)


def test_a_healthy_standby() -> None:
    run = look(on=replica, role="standby", counters_before=reading())
    assert {item["id"] for item in run.items if item["verdict"] != "ok"} == ON_STANDBY
    assert {item["verdict"] for item in run.items} == {"ok", "skipped"}
    for fact in ("server", "heartbeat", "settings", "unused_indexes", "counters"):
        assert run.facts[fact], fact


def test_the_number_of_requests_is_small_and_none_is_asked_twice() -> None:
    asked = look(role="primary").facts["asked"]
    assert len(asked) <= 32
    twice = [query for query, number in Counter(asked).items() if number > 1]
    # Two readings of the counters, and how many indexes there are for two checks.
    assert set(twice) <= {counters._COUNTERS, indexes._NUMBER}


def cases() -> list[Any]:
    """check, answers that are changed, options, what is found of that check (without what is ok)."""
    many = [session(pid) for pid in range(100, 190)]
    lock = session(31, role="tenant_acme_corp", application="", state="active", blockers=[32], waiting=45.0)
    holder = session(32, application="report", state="idle in transaction", in_state=50.0, in_transaction=60.0)
    return [
        ("role", {}, {"role": "standby"}, {"": "critical"}),
        ("writable", {server._SETTINGS: settings(default_transaction_read_only="on")}, {}, {"default": "critical"}),
        ("writable", {availability._DEFAULTS: [{"database": "leanvibe", "role": None}]}, {}, {"default/any@leanvibe": "critical"}),
        ("writable", {"write": psycopg.errors.ReadOnlySqlTransaction("cannot")}, {}, {"": "unknown"}),
        ("heartbeat", {heartbeat._HEARTBEAT: [{"at": NOW - 31, "now": NOW}]}, {}, {"": "degraded"}),
        ("heartbeat", {heartbeat._HEARTBEAT: [{"at": None, "now": NOW}]}, {}, {"": "unknown"}),
        ("heartbeat", {heartbeat._MADE: [{"made": False}]}, {}, {"": "unknown"}),
        ("heartbeat", {heartbeat._HEARTBEAT: [{"at": None, "now": NOW}]}, {"heartbeat": False}, {"": "skipped"}),
        ("heartbeat", {heartbeat._MADE: [{"made": False}]}, {"heartbeat": False}, {"": "skipped"}),
        ("heartbeat", {heartbeat._HEARTBEAT: [{"at": NOW - 31, "now": NOW}]}, {"heartbeat": False}, {"": "degraded"}),
        ("role", {}, {"role": "primry"}, {"": "unknown"}),
        ("standbys", {replication._STANDBYS: [standby(behind=65.0 * MEBIBYTE)]}, {}, {"standby_west": "degraded"}),
        ("standbys", {replication._STANDBYS: [standby(behind=2.0 * GIBIBYTE)]}, {}, {"standby_west": "critical"}),
        ("standbys", {replication._STANDBYS: []}, {}, {"": "critical"}),
        ("standbys", {replication._STANDBYS: [], replication._SLOTS: []}, {}, {"": "skipped"}),
        ("standbys", {replication._STANDBYS: [standby(state="backup", behind=None)]}, {}, {"": "critical"}),
        ("standbys", {}, {"standbys": ["standby_west", "standby_north"]}, {"standby_north": "critical"}),
        ("standbys", {server._SETTINGS: settings(synchronous_standby_names="*")}, {}, {"synchronous": "critical"}),
        ("standbys", {replication._STANDBYS: [standby(state=None)]}, {}, {"": "unknown"}),
        ("slots", {slots._SLOTS: [slot(active=False)]}, {}, {"standby_west": "degraded"}),
        ("slots", {slots._SLOTS: [slot(active=False, unused=True, kept=None)]}, {}, {"standby_west": "degraded"}),
        ("slots", {slots._SLOTS: [slot(active=False, status="lost", kept=None)]}, {}, {"standby_west": "critical"}),
        ("slots", {slots._SLOTS: [slot(status="unreserved")]}, {}, {"standby_west": "critical"}),
        ("slots", {slots._SLOTS: []}, {}, {}),
        ("slot_wal", {slots._SLOTS: [slot(kept=0.5 * GIBIBYTE)]}, {}, {"standby_west": "degraded"}),
        ("slot_wal", {slots._SLOTS: [slot(kept=0.9 * GIBIBYTE)]}, {}, {"standby_west": "critical"}),
        ("slot_wal", {slots._SLOTS: [slot(kept=2.0 * GIBIBYTE)], server._SETTINGS: settings(max_slot_wal_keep_size="-1")}, {}, {"standby_west": "degraded"}),
        ("connections", {sessions._ACTIVITY: many[:79]}, {}, {"": "degraded"}),
        ("connections", {sessions._ACTIVITY: many[:78]}, {}, {}),
        ("connections", {sessions._ACTIVITY: many}, {}, {"": "critical"}),
        ("connections", {sessions._ACTIVITY: [session(11, kind=None)]}, {}, {"": "unknown"}),
        ("connections", {sessions._ACTIVITY: DENIED}, {}, {"": "unknown"}),
        ("connection_limits", {sessions._ACTIVITY: [session(pid, role="tenant_acme_corp") for pid in range(5)]}, {}, {"tenant_acme_corp": "degraded"}),
        ("connection_limits", {sessions._LIMITS: []}, {}, {}),
        ("blocked", {sessions._ACTIVITY: [lock, holder]}, {}, {"leanvibe_app/report": "degraded"}),
        ("blocked", {sessions._ACTIVITY: [{**lock, "waiting": 301.0}, holder]}, {}, {"leanvibe_app/report": "critical"}),
        ("blocked", {sessions._ACTIVITY: [{**lock, "waiting": 0.3}, holder]}, {}, {}),
        ("blocked", {sessions._ACTIVITY: [{**lock, "blockers": [0]}]}, {}, {"prepared transaction": "degraded"}),
        ("idle_in_transaction", {sessions._ACTIVITY: [{**holder, "in_state": 119.0}]}, {}, {}),
        ("idle_in_transaction", {sessions._ACTIVITY: [{**holder, "in_state": 121.0}]}, {}, {"leanvibe_app/report": "degraded"}),
        (
            "idle_in_transaction",
            {sessions._ACTIVITY: [{**holder, "state": "idle in transaction (aborted)", "in_state": 1801.0}]},
            {},
            {"leanvibe_app/report": "critical"},
        ),
        ("long_transactions", {sessions._ACTIVITY: [session(11, state="active", in_transaction=3700.0)]}, {}, {"leanvibe_app/api": "degraded"}),
        ("long_transactions", {sessions._ACTIVITY: [session(11, state="active", in_transaction=1e5)]}, {}, {"leanvibe_app/api": "critical"}),
        ("long_transactions", {sessions._ACTIVITY: [session(11, state="active", in_transaction=1e5, kind="walsender")]}, {}, {}),
        ("prepared_transactions", {sessions._PREPARED: [{"gid": "g", "role": "tenant_a", "database": "d", "seconds": 400.0}]}, {}, {"g": "degraded"}),
        ("prepared_transactions", {sessions._PREPARED: [{"gid": "g", "role": "tenant_a", "database": "d", "seconds": 4e3}]}, {}, {"g": "critical"}),
        ("checksums", {server._SETTINGS: settings(data_checksums="off")}, {}, {"off": "degraded"}),
        ("checksums", {storage._CHECKSUMS: [{"name": "leanvibe", "failures": 1, "last": "today"}]}, {}, {"leanvibe": "critical"}),
        ("archiving", {server._SETTINGS: settings(archive_mode="off")}, {}, {"": "degraded"}),
        ("archiving", {server._SETTINGS: settings(archive_mode="off")}, {"archiving": False}, {"": "skipped"}),
        ("archiving", {storage._ARCHIVER: [archiver(failing=True, failed="x", failures=3)]}, {}, {"failing": "degraded"}),
        ("archiving", {storage._ARCHIVER: [archiver(failing=True, failed="x", age=601.0)]}, {}, {"failing": "critical"}),
        # Without traffic, age means nothing.
        ("archiving", {storage._ARCHIVER: [archiver(age=9e5)]}, {}, {}),
        ("archiving", {storage._ARCHIVER: [archiver(age=301.0, position=7.5 * SEGMENT)]}, {}, {"": "degraded"}),
        ("archiving", {storage._ARCHIVER: [archiver(age=901.0, position=7.5 * SEGMENT)]}, {}, {"": "critical"}),
        ("archiving", {storage._ARCHIVER: [archiver(age=1000.0, archived=None)]}, {}, {"": "critical"}),
        ("archiving", {storage._ARCHIVER: []}, {}, {"": "unknown"}),
        ("archive_queue", {storage._WAITING: [{"waiting": 16}]}, {}, {"": "degraded"}),
        ("archive_queue", {storage._WAITING: [{"waiting": 200}]}, {}, {"": "critical"}),
        ("archive_queue", {storage._WAITING: DENIED}, {}, {"": "unknown"}),
        ("wraparound", {wraparound._DATABASES: [{"name": "d", "transactions": 300_000_000, "multixacts": 1}]}, {}, {"freeze": "degraded"}),
        ("wraparound", {wraparound._DATABASES: [{"name": "d", "transactions": 900_000_000, "multixacts": 1}]}, {}, {"": "degraded", "freeze": "degraded"}),
        ("wraparound", {wraparound._DATABASES: [{"name": "d", "transactions": 1_500_000_000, "multixacts": 1}]}, {}, {"": "critical", "freeze": "degraded"}),
        ("wraparound", {wraparound._DATABASES: []}, {}, {"": "unknown"}),
        ("multixact_wraparound", {wraparound._DATABASES: [{"name": "d", "transactions": 9, "multixacts": 700_000_000}]}, {}, {"freeze": "degraded"}),
        ("isolation", {}, {"audit": Audit((Gap("rls-disabled", "leanvibe.tasks", "off"),), (), {})}, {"leanvibe.tasks/rls-disabled": "critical"}),
        ("isolation", {}, {"audit": Audit((), ("pg_catalog.pg_locks",), {})}, {"catalogue": "degraded"}),
        ("isolation", {}, {"audit": OpsError("its shared tables were never made")}, {"": "unknown"}),
        ("isolation", {}, {"audit": psycopg.errors.InsufficientPrivilege("exemptions")}, {"": "unknown"}),
        ("autovacuum", {server._SETTINGS: settings(autovacuum="off")}, {}, {"autovacuum": "critical"}),
        ("autovacuum", {vacuum._DEAD: [dead()]}, {}, {}),
        ("autovacuum", {vacuum._DEAD: [dead(dead=40_000)]}, {}, {"leanvibe.tasks": "degraded"}),
        # Ten times what is due, in a small table and in a large one.
        ("autovacuum", {vacuum._DEAD: [dead(dead=200_000)]}, {}, {"leanvibe.tasks": "degraded"}),
        ("autovacuum", {vacuum._DEAD: [dead(dead=2_000_000, due=150_000.0)]}, {}, {"leanvibe.tasks": "critical"}),
        ("autovacuum", {vacuum._DEAD: [dead(dead=200_000, running=True)]}, {}, {}),
        ("autovacuum", {vacuum._DEAD: [dead(off=True)]}, {}, {"leanvibe.tasks/off": "degraded"}),
        ("bloat", {vacuum._BLOAT: [bloat(share=55.0)]}, {}, {"leanvibe.tasks": "degraded"}),
        ("bloat", {vacuum._BLOAT: [bloat(share=95.0)]}, {}, {"leanvibe.tasks": "critical"}),
        ("bloat", {vacuum._BLOAT: [bloat(known=False)]}, {}, {"": "skipped"}),
        ("bloat", {vacuum._BLOAT: []}, {}, {"": "skipped"}),
        ("bloat", {vacuum._BLOAT: DENIED}, {}, {"": "unknown"}),
        ("invalid_indexes", {indexes._INVALID: [invalid()]}, {}, {"tenant_acme.broken": "degraded"}),
        ("invalid_indexes", {indexes._NUMBER: [{"number": 0}]}, {}, {"": "unknown"}),
        ("duplicate_indexes", {indexes._DUPLICATE: [duplicate(70.0 * MEBIBYTE)]}, {}, {"leanvibe.again": "degraded"}),
        ("duplicate_indexes", {indexes._DUPLICATE: [duplicate(8192.0)]}, {}, {}),
        ("index_use", {indexes._UNUSED: DENIED}, {}, {"": "unknown"}),
        ("sequences", {sequences._SEQUENCES: [sequence(most=2147483647, last=1_700_000_000)]}, {}, {SEQUENCE: "degraded"}),
        ("sequences", {sequences._SEQUENCES: [sequence(most=2147483647, last=2_000_000_000)]}, {}, {SEQUENCE: "critical"}),
        ("sequences", {sequences._SEQUENCES: [sequence(up=False, least=-1000, last=-950)]}, {}, {SEQUENCE: "critical"}),
        ("sequences", {sequences._SEQUENCES: [sequence(last=None)]}, {}, {}),
        ("sequences", {sequences._SEQUENCES: []}, {}, {}),
        ("sequences", {sequences._SEQUENCES: [sequence(readable=False)]}, {}, {"unreadable": "unknown"}),
        ("sequences", {sequences._SEQUENCES: [sequence(readable=False, schema="tenant_acme")]}, {}, {"tenants": "skipped"}),
        ("pending_restart", {server._SETTINGS: [*settings(), setting("wal_level", "replica", pending_restart=True)]}, {}, {"wal_level": "degraded"}),
        ("cache_hits", {}, {"counters_before": reading(hits=1.8e6, reads=-1e5)}, {"": "critical"}),
        ("cache_hits", {}, {"counters_before": reading(hits=1.2e6, reads=-8e4)}, {"": "degraded"}),
        ("cache_hits", {}, {"counters_before": reading(hits=1.92e6, reads=1e4)}, {"": "skipped"}),
        # Started since, or not yet gone ten times through what shared_buffers hold.
        (
            "cache_hits",
            {server._STATE: [{"recovering": False, "version": 1, "now": NOW, "started": NOW - 300}]},
            {"counters_before": reading()},
            {"": "skipped"},
        ),
        ("cache_hits", {server._SETTINGS: settings(shared_buffers="200000")}, {"counters_before": reading()}, {"": "skipped"}),
        ("cache_hits", {}, {}, {"": "skipped"}),
        ("deadlocks", {}, {"counters_before": reading(deadlocks=2.0)}, {"": "degraded"}),
        ("deadlocks", {counters._COUNTERS: [{**reading(), "at": NOW, "deadlocks": 20.0}]}, {"counters_before": reading()}, {"": "critical"}),
        ("deadlocks", {}, {}, {"": "skipped"}),
        # Statistics began anew.
        ("deadlocks", {}, {"counters_before": reading(deadlocks=4.0)}, {"": "skipped"}),
        ("deadlocks", {}, {"counters_before": reading(reset=4.0)}, {"": "skipped"}),
        ("deadlocks", {}, {"counters_before": {"at": "yesterday"}}, {"": "skipped"}),
        ("deadlocks", {counters._COUNTERS: DENIED}, {}, {"": "unknown"}),
        ("temporary_files", {}, {"counters_before": reading(temporary=-6.1e9)}, {"": "degraded"}),
    ]


SEQUENCE = "leanvibe.audit_events_event_id_seq"


def dead(**change: Any) -> dict[str, Any]:
    usual = {"schema": "leanvibe", "name": "leanvibe.tasks", "dead": 12_000, "live": 50_000, "due": 10_050.0, "off": False, "ago": 300.0, "running": False}
    return {**usual, **change}


def bloat(**change: Any) -> dict[str, Any]:
    return {"schema": "leanvibe", "name": "leanvibe.tasks", "size": 2e8, "known": True, "share": 20.0, "wasted": 1e8, **change}


def invalid() -> dict[str, Any]:
    return {"schema": "tenant_acme", "name": "tenant_acme.broken", "of": "tenant_acme.ledger", "ready": True, "live": True}


def duplicate(wasted: float) -> dict[str, Any]:
    return {"schema": "leanvibe", "keeps": "leanvibe.first", "copies": ["leanvibe.again"], "wasted": wasted}


@pytest.mark.parametrize(("check", "changed", "options", "expected"), cases(), ids=lambda value: value if isinstance(value, str) else "")
def test_one_thing_is_different(check: str, changed: dict[str, Any], options: dict[str, Any], expected: dict[str, str]) -> None:
    run = look(changed, only=f"postgresql.{check}", **options)
    actual = {name.split(":", 1)[1]: verdict for name, verdict in found(run).items() if verdict != "ok"}
    assert actual == expected, [item["message"] for item in run.items]
    assert all(item["message"] for item in run.items if item["verdict"] != "ok")


REPLICA_CASES = [
    ("role", {}, {"role": "primary"}, {"": "critical"}),
    ("receiver", {replication._RECEIVER: []}, {}, {"": "critical"}),
    ("receiver", {replication._RECEIVER: [{"status": "streaming", "slot": None, "silent": 61.0}]}, {}, {"": "degraded"}),
    ("receiver", {replication._RECEIVER: [{"status": "waiting", "slot": None, "silent": 301.0}]}, {}, {"": "critical", "status": "degraded"}),
    ("receiver", {replication._RECEIVER: [{"status": None, "slot": None, "silent": None}]}, {}, {"": "unknown"}),
    ("replay", {replication._REPLAY: [{"paused": True, "position": "0/1", "behind": 0.0, "seconds": 9.0}]}, {}, {"paused": "degraded"}),
    ("replay", {replication._REPLAY: [{"paused": False, "position": "0/1", "behind": 2.0**31, "seconds": 9.0}]}, {}, {"": "critical"}),
    ("replay", {replication._REPLAY: [{"paused": False, "position": "0/1", "behind": None, "seconds": None}]}, {}, {}),
    ("replay", {replication._REPLAY: []}, {}, {"": "unknown"}),
]


@pytest.mark.parametrize(("check", "changed", "options", "expected"), REPLICA_CASES)
def test_one_thing_is_different_on_a_standby(check: str, changed: dict[str, Any], options: dict[str, Any], expected: dict[str, str]) -> None:
    run = look(changed, on=replica, only=f"postgresql.{check}", **options)
    assert {name.split(":", 1)[1]: verdict for name, verdict in found(run).items() if verdict != "ok"} == expected


@pytest.mark.parametrize(("days", "verdict"), [(31, "ok"), (29, "degraded"), (6, "critical"), (-1, "critical")])
def test_certificate(days: float, verdict: str) -> None:
    (item,) = look(only="postgresql.certificate", certificate_shown=served(days + 0.1)).items
    assert item["verdict"] == verdict
    assert item["observed"] == pytest.approx(days + 0.1, abs=0.05)


@pytest.mark.parametrize(("shown", "words"), [(None, "offers no TLS"), (ConnectionResetError("gone"), "did not show its certificate")])
def test_no_certificate(shown: Any, words: str) -> None:
    (item,) = look(only="postgresql.certificate", certificate_shown=shown).items
    assert (item["verdict"], words in item["message"]) == ("unknown", True)


def test_tls_switched_off_by_declaration() -> None:
    with pytest.raises(OpsError, match="by declaration"):
        list(certificate.findings({"host": "x", "sslmode": "disable"}, certificate.datetime.now()))


def test_a_missing_right_names_the_grant() -> None:
    (item,) = look({sessions._ACTIVITY: DENIED}, only="postgresql.connections").items
    assert item["verdict"] == "unknown"
    assert "a right is missing" in item["message"]
    assert "GRANT pg_monitor TO <role>" in item["message"]


def test_on_rds_nobody_can_give_the_right_that_bloat_needs() -> None:
    with mock.patch.dict(postgresql_fakes.PARAMS, {"driver": "rds"}):
        (item,) = look({vacuum._BLOAT: DENIED}, only="postgresql.bloat").items
    assert (item["verdict"], "pgstattuple" in item["message"]) == ("skipped", True)
    with mock.patch.dict(postgresql_fakes.PARAMS, {"driver": "rds"}):
        (item,) = look(only="postgresql.isolation", audit=Audit((), ("pg_catalog.pg_locks",), {})).items
    assert (item["verdict"], "stay open on a managed service" in item["message"]) == ("ok", True)


def test_who_is_touched() -> None:
    waiting = session(31, role="tenant_acme_corp", state="active", blockers=[32], waiting=45.0)
    behind = session(33, role="tenant_beta", state="active", blockers=[31], waiting=20.0)
    holder = session(32, application="report", state="idle in transaction", in_transaction=60.0)
    (item,) = look({sessions._ACTIVITY: [waiting, behind, holder]}, only="postgresql.blocked").items
    assert item["tenants"] == ["acme-corp", "beta"]
    assert "blocks 2 session(s)" in item["message"]
    assert item["observed"] == 45.0
    (item,) = look({indexes._INVALID: [invalid()]}, only="postgresql.invalid_indexes").items
    assert item["tenants"] == ["acme"]


def test_sessions_that_wait_for_each_other_do_not_hang_the_check() -> None:
    rows = [session(1, blockers=[2], waiting=1.0), session(2, blockers=[1], waiting=1.0)]
    assert {item["verdict"] for item in look({sessions._ACTIVITY: rows}, only="postgresql.blocked").items} == {"ok"}


def test_many_are_told_as_few_with_the_tenants_of_all() -> None:
    many = [vacuum.Finding(observed=float(number), name=f"t{number}", tenants=(f"t{number}",), message="m") for number in range(100, 160)]
    told = list(ranking.worst(many, 50.0, "tables"))
    assert len(told) == ranking.TOP + 1
    assert [finding.observed for finding in told[:2]] == [159.0, 158.0]
    assert (told[-1].name, len(told[-1].tenants), told[-1].observed) == ("others", 40, 139.0)
    (quiet,) = ranking.worst(many, 1000.0, "tables")
    assert (quiet.name, quiet.observed) == ("", 159.0)


@pytest.mark.parametrize(("seconds", "words"), [(1.2, "1 s"), (150, "2 min"), (9000, "2.5 h"), (200000, "2.3 d")])
def test_durations(seconds: float, words: str) -> None:
    assert ranking.duration(seconds) == words


def test_every_check_says_what_a_reader_needs() -> None:
    runbook = Path(__file__).parents[7] / "docs" / CHECKS[0].runbook.split("#")[0]
    text = runbook.read_text(encoding="utf-8")
    for about in (*CHECKS, *COMPARISONS):
        assert about.question.endswith("?"), about.id
        assert "%(" not in about.query, about.id
        assert f"\n## {about.runbook.split('#')[1]}\n" in text, f"{runbook} says nothing about {about.id}"
        assert about.threshold is None or about.threshold.source


def test_unarchived_is_counted_from_the_end_of_the_segment() -> None:
    row = archiver(archived="0000000200000001000000FF", position=float(2 * 2**32))
    assert storage.unarchived(row, SEGMENT) == 0.0
    assert storage.unarchived(archiver(archived="00000002.history"), SEGMENT) is None


@pytest.mark.parametrize(("ahead", "verdict"), [(0.0, "ok"), (-2.0, "degraded"), (120.0, "critical"), (None, "unknown")])
def test_its_clock_is_compared_with_ours(ahead: float | None, verdict: str) -> None:
    """Its run tells the controller, which compares it with all others."""
    run = look({clock._CLOCK: lambda: [{"now": None if ahead is None else time.time() + ahead}]}, only="postgresql.clock")
    assert [item["verdict"] for item in run.items] == [verdict]
    assert run.facts.get("clock", {}).get("postgresql.clock") == (None if ahead is None else pytest.approx([ahead, ahead], abs=0.5))
