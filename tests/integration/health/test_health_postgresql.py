# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_postgresql and health_pgbouncer on the sandbox: silent while it is well, and for each fault exactly the checks that it may raise."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from postgresql_clinic import EAST, WEST, Clinic, eventually, wrong
from postgresql_faults import FAULTS, Fault

# What a healthy sandbox has nothing to say about: what a standby has as a copy, what a primary does not do, rates without an earlier run, and statistics
# that are days old at most.
RATES = {"postgresql.cache_hits", "postgresql.deadlocks", "postgresql.temporary_files"}


@pytest.fixture(scope="session")
def clinic(sandbox: dict[str, Any], credentials: dict[str, Any], checkout: Any) -> Iterator[Clinic]:
    made = Clinic(sandbox, credentials, checkout)
    made.make()
    try:
        made.replayed()
        yield made
    finally:
        made.remove()


def test_a_healthy_pair_has_no_finding_that_is_not_ok(clinic: Clinic) -> None:
    for _time in range(3):
        runs, items = clinic.both()
        assert wrong(items) == {}
        east, west = ({item["id"] for item in run.items if item["verdict"] == "skipped"} for run in runs)
        assert {"postgresql.receiver", "postgresql.replay"} <= east <= {"postgresql.receiver", "postgresql.replay", "postgresql.bloat"} | RATES
        assert not west & {"postgresql.role", "postgresql.receiver", "postgresql.replay", "postgresql.connections", "postgresql.certificate"}


def test_a_healthy_pair_is_looked_at_quickly(clinic: Clinic) -> None:
    clinic.look()
    began = time.monotonic()
    run = clinic.look()
    assert time.monotonic() - began < 3.0
    assert all(done.seconds < 1.0 for done in run.checks), run.checks


@pytest.mark.parametrize("region", [EAST, WEST])
def test_a_healthy_pooler_has_no_finding_that_is_not_ok(clinic: Clinic, region: str) -> None:
    run = clinic.look_at_pooler(region)
    assert wrong(run.items) == {}
    assert {item["verdict"] for item in run.items} == {"ok"}


def seen(clinic: Clinic, fault: Fault, more: dict[str, Any]) -> list[dict[str, Any]]:
    if fault.pooler:
        return clinic.look_at_pooler(fault.pooler, **fault.arguments).items
    database = {"database": clinic.database} if fault.scratch else {}
    return clinic.both(**{**fault.arguments, **more, **database})[1]


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_is_found_and_nothing_else(clinic: Clinic, fault: Fault, catalogue: Any) -> None:
    with fault.make(clinic) as more:
        items = seen(clinic, fault, more or {})
        bad = {item["id"] for item in items if item["verdict"] not in ("ok", "skipped")}
        catalogue.judge(f"postgresql: {fault.name}", fault.may, bad, wrong(items))
        assert all(item["verdict"] in ("degraded", "critical") for item in items if item["id"] in fault.may and item["verdict"] not in ("ok", "skipped"))
    usual = {key: value for key, value in fault.arguments.items() if key == "options"}
    after = clinic.look_at_pooler(fault.pooler).items if fault.pooler else clinic.both(**usual, **({"database": clinic.database} if fault.scratch else {}))[1]
    assert wrong(after) == {}


def test_what_is_found_names_the_tenants_and_can_be_repeated(clinic: Clinic) -> None:
    """A tenant's own index, and the query of the finding as psql runs it."""
    where = {"database": clinic.database}
    try:
        clinic.tell("CREATE SCHEMA tenant_hc_one", "CREATE TABLE tenant_hc_one.t AS SELECT 1 AS a FROM generate_series(1, 2)", **where)
        with pytest.raises(Exception, match="could not create unique index"):
            clinic.tell("CREATE UNIQUE INDEX CONCURRENTLY broken ON tenant_hc_one.t (a)", **where)
        (item,) = (one for one in clinic.look(**where).items if one["verdict"] != "ok" and one["id"] == "postgresql.invalid_indexes")
        assert (item["tenants"], item["subject"]) == (["hc-one"], "us-east-1/postgresql/tenant_hc_one.broken")
        with clinic.connect("leanvibe_health", **where) as session:
            assert [row[1] for row in session.execute(item["query"]).fetchall()] == ["tenant_hc_one.broken"]
    finally:
        clinic.tell("DROP SCHEMA IF EXISTS tenant_hc_one CASCADE", **where)


def test_every_query_can_be_repeated_by_hand(clinic: Clinic) -> None:
    """As psql runs it, with the account that may only look."""
    repeated = set()
    for region in (EAST, WEST):
        params = clinic.connection("leanvibe_health", region=region)
        address = f"host={params['host']} port={params['port']} dbname=leanvibe user=leanvibe_health sslmode=verify-full sslrootcert={params['sslrootcert']}"
        environment = {**os.environ, "PGPASSWORD": params["password"]}
        # On a standby, only what is looked at there.
        wanted = {item["id"]: item["query"] for item in clinic.look(region).items if item["verdict"] != "skipped" and not item["query"].startswith("openssl")}
        for name, query in wanted.items():
            command = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", address]
            done = subprocess.run(command, input=query, env=environment, capture_output=True, text=True, timeout=20, check=False)
            assert (done.returncode, done.stderr) == (0, ""), name
            repeated.add(name)
    assert len(repeated) >= 22


def test_a_wrong_password_is_unknown_once(clinic: Clinic) -> None:
    run = clinic.look(password="wrong-and-nowhere-else")
    assert {item["verdict"] for item in run.items} == {"unknown"}
    assert len({item["message"] for item in run.items}) == 1
    assert "refuses user leanvibe_health" in run.items[0]["message"]
    assert "wrong-and-nowhere-else" not in str(run.to_mapping())


def test_an_account_without_rights_is_told_which(clinic: Clinic) -> None:
    run = clinic.look(username="leanvibe_app")
    found = {item["id"]: item for item in run.items if item["verdict"] == "unknown"}
    assert {item["verdict"] for item in run.items} <= {"ok", "skipped", "unknown"}
    for name in ("connections", "slots", "standbys", "archiving", "checksums", "wraparound", "autovacuum", "isolation", "bloat"):
        assert "a right is missing" in found[f"postgresql.{name}"]["message"], name
        assert "pg_monitor" in found[f"postgresql.{name}"]["message"], name


def test_the_account_may_look_and_nothing_else(clinic: Clinic) -> None:
    for database in ("leanvibe", clinic.database):
        with clinic.connect("leanvibe_health", database=database) as session:
            for statement in (
                "SELECT * FROM leanvibe.users",
                "SELECT * FROM leanvibe_private.tenant_roles",
                "SELECT stavalues1 FROM pg_statistic",
                "SELECT rolpassword FROM pg_authid",
                "INSERT INTO leanvibe_private.heartbeat VALUES ('hc')",
                "CREATE TABLE public.hc (a int)",
                "CREATE ROLE hc_never",
            ):
                with pytest.raises(Exception, match=r"permission denied|must be superuser"):
                    session.execute(statement)
    assert clinic.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'hc_never'") == [(0,)]


def test_looking_leaves_nothing(clinic: Clinic) -> None:
    query = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_all_tables"
    before = clinic.ask(query, database=clinic.database)
    for _time in range(2):
        clinic.look(database=clinic.database)
    time.sleep(1.2)
    assert clinic.ask(query, database=clinic.database) == before
    # Prometheus' exporter looks with the same account, under another name.
    assert clinic.ask("SELECT count(*) FROM pg_stat_activity WHERE usename = 'leanvibe_health' AND application_name = 'leanvibe.ops'") == [(0,)]


def test_a_paused_standby_costs_its_time_out_once(clinic: Clinic, run_playbook: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    fault = {"component": "postgresql", "region": WEST}
    try:
        assert run_playbook("sandbox_fault", extra_vars={**fault, "fault": "pause"}).returncode == 0
        began = time.monotonic()
        run = clinic.look(WEST)
        took = time.monotonic() - began
        assert {item["verdict"] for item in run.items} == {"unknown"}
        assert took < 6.0
        assert {item["verdict"] for item in clinic.look(EAST).items if item["id"] in ("postgresql.role", "postgresql.writable")} == {"ok"}
    finally:
        assert run_playbook("sandbox_fault", extra_vars={**fault, "fault": "resume"}).returncode == 0
    eventually(lambda: not wrong(clinic.both()[1]), "health after the pause", 60)


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("may", [{"postgresql.standbys", "postgresql.slots", "postgresql.receiver"}], ids=["cut"])
def test_a_standby_that_is_cut_off(clinic: Clinic, may: set[str], run_playbook: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    fault = {"component": "postgresql_link", "region": EAST}
    try:
        done = run_playbook("sandbox_fault", extra_vars={**fault, "fault": "cut"})
        assert done.returncode == 0, done.stdout
        eventually(lambda: not clinic.ask("SELECT 1 FROM pg_stat_replication"), "the loss of the standby", 40)
        eventually(lambda: not clinic.ask("SELECT 1 FROM pg_stat_wal_receiver", region=WEST), "the loss of the primary", 40)
        items = clinic.both()[1]
        # The receiver tries again and again; while it does, it is there and not streaming.
        allowed = may | {"postgresql.replication_lag"}
        assert may <= {item["id"] for item in items if item["verdict"] not in ("ok", "skipped")} <= allowed, wrong(items)
    finally:
        assert run_playbook("sandbox_fault", extra_vars={**fault, "fault": "heal"}).returncode == 0
    eventually(lambda: not wrong(clinic.both()[1]), "health after the cut", 60)
