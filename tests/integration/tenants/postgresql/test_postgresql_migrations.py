# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""database_foundation and database_migrate: a migration that would let tenants see each other is undone, a backfill reaches every tenant or fails."""

# ruff: noqa: S608, ISC004 - migrations are written here

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HEAD = '''"""{title}"""
from alembic import op
from protections import across_tenants, exempt, tenant_table, tenant_view
revision = "{revision}"
down_revision = "{previous}"

def upgrade():
    {body}
'''
DUE = "ALTER TABLE leanvibe.tasks ADD COLUMN due date"
# The last of the shipped revisions, and the first that a test adds.
SHIPPED, ADDED = "0003", "0004"


@pytest.fixture
def fresh(lab: Any) -> Iterator[Any]:
    """A database of its own, so that its revisions harm nobody."""
    other = type(lab)(lab.sandbox, {"postgresql": lab.passwords}, lab.checkout)
    other.make()
    other.foundation()
    other.migrate()
    yield other
    other.remove()


@pytest.fixture
def folder(lab: Any, tmp_path: Path) -> Callable[..., Path]:
    """``folder("body", "body")``: the shipped migrations and one more for each body."""

    def make(*bodies: str) -> Path:
        target = tmp_path / "migrations"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(lab.migrations, target, ignore=shutil.ignore_patterns("__pycache__"))
        for number, body in enumerate(bodies, int(SHIPPED) + 1):
            text = HEAD.format(title=f"Step {number}", revision=f"{number:04}", previous=f"{number - 1:04}", body=body.replace("\n", "\n    "))
            (target / "versions" / f"{number:04}_step.py").write_text(text, encoding="utf-8")
        return target

    return make


def revision(lab: Any) -> str:
    return str(lab.rows("SELECT version_num FROM leanvibe_private.alembic_version")[0][0])


def test_cycle(lab: Any) -> None:
    other = type(lab)(lab.sandbox, {"postgresql": lab.passwords}, lab.checkout)
    other.make()
    try:
        checked = other.foundation(check=True)
        assert checked["changed"]
        assert other.foundation(check=True)["diff"] == checked["diff"]
        assert other.foundation()["diff"] == checked["diff"]
        assert not other.foundation()["changed"]
        assert other.migrate(check=True)["changed"]
        assert other.rows("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'leanvibe%%'") == [], "a check wrote something"
        done = other.migrate()
        assert (done["current"], done["target"], done["changed"]) == (None, SHIPPED, True)
        again = other.migrate()
        assert (again["current"], again["migrations"], again["changed"]) == (SHIPPED, [], False)
        assert other.audit().green
        assert other.audit().exposed == ()
    finally:
        other.remove()


def test_foundation_wants_a_superuser(lab: Any) -> None:
    from ansible_collections.leanvibe.ops.plugins.modules import database_foundation

    refused = lab.module(database_foundation, {"connection": lab.connection("leanvibe_operations")})
    assert refused["failed"]
    assert "is no superuser" in refused["msg"]
    managed = lab.module(database_foundation, {"connection": {**lab.connection("postgres"), "driver": "rds"}}, check=True)
    assert not managed["changed"]
    assert any("RDS" in note for note in managed["notes"])


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('op.execute("CREATE TABLE leanvibe.notes (tenant_id text NOT NULL, note text)")', "rls-disabled"),
        ('op.execute("CREATE TABLE leanvibe.flags (flag text)")', "no-tenant"),
        ('op.execute("CREATE VIEW leanvibe.all_users AS SELECT * FROM leanvibe.users")', "view-definer"),
        # LIKE copies neither row-level security nor policies nor rights: a swap would end isolation.
        (
            'op.execute("CREATE TABLE leanvibe.users_new (LIKE leanvibe.users INCLUDING ALL)")\n'
            'op.execute("ALTER TABLE leanvibe.users RENAME TO users_old")\nop.execute("ALTER TABLE leanvibe.users_new RENAME TO users")',
            "policy-missing",
        ),
    ],
    ids=["table", "without tenant", "view", "swap"],
)
def test_a_migration_that_leaves_a_gap_is_undone(body: str, rule: str, fresh: Any, folder: Callable[..., Path]) -> None:
    tables = fresh.rows("SELECT oid, relname FROM pg_class WHERE relnamespace = 'leanvibe'::regnamespace ORDER BY 1")
    refused = fresh.migrate(folder(f'op.execute("{DUE}")', body))
    assert refused["failed"]
    assert rule in {finding["rule"] for finding in refused["findings"]}
    assert "everything was undone" in refused["msg"]
    assert revision(fresh) == SHIPPED
    assert fresh.rows("SELECT oid, relname FROM pg_class WHERE relnamespace = 'leanvibe'::regnamespace ORDER BY 1") == tables
    assert fresh.audit().green


def test_a_protected_table_passes(fresh: Any, folder: Callable[..., Path]) -> None:
    body = (
        'op.execute("CREATE TABLE leanvibe.notes (tenant_id text NOT NULL REFERENCES leanvibe.tenants, note_id uuid DEFAULT gen_random_uuid(),'
        ' note text, PRIMARY KEY (tenant_id, note_id))")\ntenant_table("notes")\ntenant_view("notes", write=True)\n'
        'op.execute("CREATE TABLE leanvibe.flags (flag text)")\nexempt("table", "leanvibe.flags", "the same for everybody")'
    )
    done = fresh.migrate(folder(body))
    assert done["target"] == ADDED, done
    tenant = fresh.tenant("one")
    fresh.run([tenant])
    with fresh.as_tenant(tenant) as session:
        session.execute("INSERT INTO leanvibe_shared.notes (note) VALUES ('x')")
        assert session.execute("SELECT tenant_id, note FROM leanvibe_shared.notes").fetchall() == [(tenant["id"], "x")]
    # The older release does not write into a database that it does not know.
    older = fresh.migrate()
    assert older["failed"]
    assert "newer release" in older["msg"]


def test_a_backfill_reaches_every_tenant_or_fails(fresh: Any, folder: Callable[..., Path]) -> None:
    tenants = [fresh.tenant(f"fill-{number}") for number in range(3)]
    fresh.run(tenants)
    for tenant in tenants:
        fresh.fill(tenant, "word", 2)
    naive = fresh.migrate(folder(f'op.execute("{DUE}")\nop.execute("UPDATE leanvibe.tasks SET due = now()")'))
    assert naive["failed"]
    assert "row-level security" in naive["msg"]
    body = f'op.execute("{DUE}")\nwith across_tenants("tasks"):\n    op.execute("UPDATE leanvibe.tasks SET due = now()")\n'
    column = 'op.execute("ALTER TABLE leanvibe.tasks ALTER COLUMN due SET NOT NULL, ADD COLUMN watcher_user_id uuid")\n'
    reference = 'op.execute("ALTER TABLE leanvibe.tasks ADD FOREIGN KEY (tenant_id, watcher_user_id) REFERENCES leanvibe.users (tenant_id, user_id)")'
    # The rows that are there are checked by a query, which row-level security would narrow down as well.
    unchecked = fresh.migrate(folder(body + column + reference))
    assert unchecked["failed"]
    assert "row-level security" in unchecked["msg"]
    done = fresh.migrate(folder(f'{body}{column}with across_tenants("tasks", "users"):\n    {reference}'))
    assert not done.get("failed"), done["msg"]
    assert fresh.rows("SELECT count(*), count(due) FROM leanvibe.tasks") == [(6, 6)]
    assert fresh.audit().green


def test_a_backfill_without_bypassrls(fresh: Any, folder: Callable[..., Path]) -> None:
    """As on RDS: FORCE is lifted inside the transaction."""
    tenants = [fresh.tenant(f"rds-{number}") for number in range(2)]
    fresh.run(tenants)
    for tenant in tenants:
        fresh.fill(tenant, "word", 2)
    target = folder(f'op.execute("{DUE}")\nwith across_tenants("tasks"):\n    op.execute("UPDATE leanvibe.tasks SET due = now()")')
    text = (target / "protections.py").read_text(encoding="utf-8")
    question = "SELECT rolbypassrls FROM pg_roles"
    assert question in text
    (target / "protections.py").write_text(text.replace(question, "SELECT false FROM pg_roles"), encoding="utf-8")
    assert not fresh.migrate(target).get("failed")
    assert fresh.rows("SELECT count(*), count(due) FROM leanvibe.tasks") == [(4, 4)]
    assert fresh.audit().green


def test_a_failing_migration_leaves_nothing(fresh: Any, folder: Callable[..., Path]) -> None:
    failed = fresh.migrate(folder(f'op.execute("{DUE}")', 'op.execute("SELECT 1/0")'))
    assert failed["failed"]
    assert "division by zero" in failed["msg"]
    assert revision(fresh) == SHIPPED
    assert fresh.rows("SELECT 1 FROM information_schema.columns WHERE table_name = 'tasks' AND column_name = 'due'") == []


def test_two_runs_take_turns(fresh: Any, folder: Callable[..., Path]) -> None:
    target = folder(f'op.execute("{DUE}")\nop.execute("SELECT pg_sleep(1)")')
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.migrations import migrate

    plans: list[Any] = []

    def work() -> None:
        plans.append(migrate(fresh.connection("leanvibe_migrations"), target, timeout=30, version_schema="leanvibe_private", lock_timeout=20))

    threads = [threading.Thread(target=work) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(len(plan.steps) for plan in plans) == [0, 1]
    assert revision(fresh) == ADDED
