# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis makes of PostgreSQL's answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.postgresql import indexes, locks, plans, reads, statements
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import NoData, NotApplicable, Session

AT, RESET = 100_000.0, 64_000.0  # ten hours of statistics
SINCE = {"at": AT, "reset": RESET, "dealloc": 0.0}


def row(number: int, seconds: float, **more: Any) -> dict[str, Any]:
    usual = {"id": str(number), "userid": "10", "dbid": "5", "toplevel": True, "query": f"SELECT {number}", "role": "leanvibe_app", "database": "leanvibe"}
    return {**usual, "here": True, "calls": 10.0, "seconds": seconds, "rows": 1.0, "all_seconds": 1000.0, "all_statements": 2, **more}


def reading(*rows: dict[str, Any], **since: float) -> statements.Reading:
    return statements.understood({**SINCE, **since}, rows)


def before(seconds: float = 100.0, **more: Any) -> dict[str, Any]:
    kept = {"1/10/5/t": [seconds, 4.0], "2/10/5/t": [50.0, 10.0]}
    return {"at": AT - 1800, "reset": RESET, "all_seconds": 900.0, "complete": True, "kept": kept, **more}


def test_without_an_earlier_run_it_is_since_the_statistics_began() -> None:
    told = statements.spending(reading(row(1, 360.0), row(2, 36.0)), None)
    assert [(one.per_hour, one.total, one.calls) for one in told.spent] == [(36.0, 36.0, 10.0), (3.6, 3.6, 10.0)]
    assert (told.whole, told.grown, told.since) == (100.0, False, "since the statistics began 10.0 h ago")


def test_growth_is_measured_since_the_last_run_and_most_grown_comes_first() -> None:
    told = statements.spending(reading(row(1, 110.0), row(2, 70.0)), before())
    assert [(one.statement.key, one.per_hour, one.calls) for one in told.spent] == [("2/10/5/t", 40.0, 0.0), ("1/10/5/t", 20.0, 6.0)]
    assert (told.whole, told.grown, told.since) == (200.0, True, "since the last run 30 min ago")
    assert statements.of_statement(told.spent[1], told).message == (
        "leanvibe_app in leanvibe: 20 s an hour since the last run 30 min ago (6 calls, 1.67e+03 ms each); 11 s an hour since the statistics began: SELECT 1"
    )


@pytest.mark.parametrize(
    "earlier",
    [None, {}, "odd", before(reset=1.0), before(at=AT - 2), before(at=None), before(all_seconds=5000.0), before(kept=None)],
    ids=["none", "empty", "odd", "reset", "too close", "no time", "went down", "nothing kept"],
)
def test_an_earlier_run_that_cannot_be_compared_is_not(earlier: Any) -> None:
    assert not statements.spending(reading(row(1, 360.0)), earlier).grown


def test_a_statement_that_was_not_kept_counts_from_the_least_that_was() -> None:
    now = reading(row(3, 80.0))
    assert statements.spending(now, before()).spent[0].per_hour == 160.0  # all were kept, so it is new
    assert statements.spending(now, before(complete=False)).spent[0].per_hour == 60.0  # it may have had as much as the least kept, 50 s


def test_a_statement_that_was_forgotten_in_between_counts_whole() -> None:
    assert statements.spending(reading(row(1, 30.0)), before(seconds=100.0)).spent[0].per_hour == 60.0


def test_hidden_statements_and_none_at_all_are_told_apart() -> None:
    with pytest.raises(AccessDenied, match="pg_monitor"):
        reading(row(1, 1.0), row(2, 1.0, id=None))
    with pytest.raises(NoData, match="track none"):
        reading()
    with pytest.raises(NoData, match="nothing was measured"):
        reading(row(1, 1.0), reset=None)  # type: ignore[arg-type]


class FakeServer:
    """A server that has the extension, or not, and loads it, or not."""

    def __init__(self, there: bool, preloaded: str | None) -> None:
        self.params = {"database": "leanvibe"}
        self.there, self.preloaded = there, preloaded

    def rows(self, query: str, _values: Any = None) -> list[dict[str, Any]]:
        if "pg_extension" in query:
            return [{"schema": "public"}] if self.there else []
        return [] if self.preloaded is None else [{"name": "shared_preload_libraries", "setting": self.preloaded}]


@pytest.mark.parametrize(
    ("there", "preloaded", "words"),
    [
        (False, "pg_stat_statements", "the extension pg_stat_statements is not in database leanvibe, so"),
        (False, None, "the extension pg_stat_statements is not in database leanvibe, so"),
        (True, "auto_explain", "pg_stat_statements is not loaded, so"),
    ],
)
def test_without_the_extension_the_way_out_is_told(there: bool, preloaded: str | None, words: str) -> None:
    session: Session[Any] = Session(FakeServer(there, preloaded), "postgresql", "here")
    with pytest.raises(NoData, match=f"^{words} nobody knows .* shared_preload_libraries, restart the server, and run CREATE EXTENSION"):
        statements.reading(session)
    assert session.facts == {}


def test_counters_are_what_the_next_run_compares_with() -> None:
    kept = reading(row(1, 100.0), row(2, 50.0)).counters()
    assert kept == {"at": AT, "reset": RESET, "all_seconds": 1000.0, "complete": True, "kept": {"1/10/5/t": [100.0, 10.0], "2/10/5/t": [50.0, 10.0]}}
    assert not reading(row(1, 1.0, all_statements=7)).counters()["complete"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT  *\n  FROM t WHERE a = $1", "SELECT * FROM t WHERE a = $1"),
        ("select 'secret' || $$secret$$ || $x$se$cret$x$, 'it''s secret'", "select '…' || '…' || '…', '…'"),
        ("select E'it\\'s secret', e'secret'", "select '…', '…'"),
        ("select 1, 'secret that does not end", "select 1, '…'"),
        ("select $$secret that does not end", "select '…'"),
        ("/* secret */ SELECT 1 -- secret\n, 2", "SELECT 1 , 2"),
        ("ALTER ROLE x PASSWORD 'secret'", "ALTER ROLE …"),
        ("CREATE USER MAPPING FOR x OPTIONS (password 'secret')", "CREATE USER …"),
        ("SELECT " + "a" * 300, "SELECT " + "a" * 232 + "…"),
        ("", " …"),
    ],
)
def test_statements_are_shown_without_what_is_in_them(query: str, expected: str) -> None:
    assert statements.shown(query) == expected
    assert "secret" not in statements.shown(query)


# Plans

BIG = plans.Table("public", "big", 100_000.0, frozenset({"id", "note", "at", 'odd "name"'}), frozenset({"id"}))
TABLES = {("public", "big"): BIG}


def node(**more: Any) -> dict[str, Any]:
    usual = {"Node Type": "Seq Scan", "Schema": "public", "Relation Name": "big", "Filter": "(big.note = $1)", "Plan Rows": 10, "Total Cost": 2000.0}
    return {**usual, **more}


def test_scans_are_found_wherever_they_are_in_the_plan() -> None:
    plan = {
        "Node Type": "Gather",
        "Plans": [{"Node Type": "Hash Join", "Plans": [node(), {"Node Type": "Index Scan", "Filter": "(x = 1)"}]}, node(Filter=None)],
    }
    assert list(plans.scans(plan)) == [plans.Scan("public", "big", "(big.note = $1)", 10.0, 2000.0)]


@pytest.mark.parametrize(
    ("condition", "columns"),
    [
        ("(big.note = $1)", ("note",)),
        ("((big.note)::text = ($1)::text)", ("note",)),
        ("((big.note)::character varying(20) = $1)", ("note",)),
        ("((big.at >= $1) AND (big.note = $2) AND (big.id < $3))", ("note", "at")),
        ("((b.note = $1) AND (b.note = $2))", ("note",)),
        ('(big."odd ""name""" = $1)', ('odd "name"',)),
        ("((big.note = $1) OR (big.id = $2))", ()),
        ("(lower(big.note) = $1)", ()),
        ("(big.note ~~ $1)", ()),
        ("(big.note <> $1)", ()),
        ("(big.elsewhere = $1)", ()),
    ],
)
def test_columns_of_an_index_are_those_that_it_could_answer(condition: str, columns: tuple[str, ...]) -> None:
    assert plans.columns(condition, BIG) == columns


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ({}, ("note",)),
        ({"Plan Rows": 5000}, ("note",)),
        ({"Plan Rows": 5001}, ()),
        ({"Relation Name": "small"}, ()),
        ({"Filter": "(big.id = $1)"}, ()),
        ({"Filter": "((big.id = $1) AND (big.note = $2))"}, ()),
    ],
    ids=["missing", "at the limit", "not selective", "small table", "there is one", "there is one that begins so"],
)
def test_an_index_is_missing_only_where_it_would_help(change: dict[str, Any], columns: tuple[str, ...]) -> None:
    (scan,) = plans.scans(node(**change))
    assert plans.missing(scan, TABLES) == columns


def test_a_plan_that_row_level_security_has_emptied_is_noticed() -> None:
    assert plans._closed({"Plans": [{"Node Type": "Result", "One-Time Filter": "false"}]})
    assert not plans._closed({"Plans": [node(), {"Node Type": "Result", "One-Time Filter": "($1 > 2)"}]})


def test_the_finding_on_an_index_says_what_is_proven_and_what_is_not() -> None:
    (scan,) = plans.scans(node())
    told = statements.spending(reading(row(1, 360.0, role="tenant_acme_corp")), None)
    found = indexes.of_missing(indexes.Missing(scan, 100_000.0, ("note", "at"), [told.spent[0]]), told.since, hypopg=False)
    assert (found.observed, found.name, found.tenants) == (36.0, "public.big(note, at)", ("acme-corp",))
    assert found.message.endswith("CREATE INDEX CONCURRENTLY ON public.big (note, at)")
    assert found.evidence == (
        "EXPLAIN reads all 100000 rows to find 10 (big.note = $1), and no index begins with note; hypopg is not in this database, so that the cost with the "
        "index was not asked for. SELECT 1"
    )
    proven = indexes.of_missing(indexes.Missing(scan, 100_000.0, ("note",), [told.spent[0]], gain=(2000.0, 8.4)), told.since, hypopg=True)
    assert "with it the planner's cost falls from 2000 to 8 (hypopg)" in str(proven.evidence)


def test_an_index_that_begins_with_another_serves_both() -> None:
    first, second, third, other = statements.spending(reading(*(row(number, 360.0) for number in range(1, 5))), None).spent
    here, there = (plans.Scan("public", table, "c", 1.0, 1.0) for table in ("big", "huge"))
    found = indexes.folded(
        [
            indexes.Missing(here, 1e5, ("a",), [first]),
            indexes.Missing(here, 1e5, ("a", "b"), [second, first]),
            indexes.Missing(here, 1e5, ("b",), [third]),
            indexes.Missing(there, 1e5, ("a",), [other]),
        ]
    )
    assert [(one.scan.table, one.columns, one.spent) for one in found] == [
        ("big", ("a", "b"), [second, first]),
        ("big", ("b",), [third]),
        ("huge", ("a",), [other]),
    ]
    assert found[0].per_hour == 72.0


class FakeConnection:
    """Keeps what is executed, as text."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __bool__(self) -> bool:
        """Without a connection, psycopg quotes by itself."""
        return False

    def execute(self, query: Any, values: Any = None) -> None:
        self.done.append(f"{query.as_string(None)} {values}")


@pytest.mark.parametrize(("answer", "cost"), [({"Node Type": "Index Scan", "Total Cost": 8.4}, 8.4), (node(), None)], ids=["used", "not used"])
def test_an_index_that_the_planner_would_not_use_is_none(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], cost: float | None) -> None:
    fake = FakeConnection()
    monkeypatch.setattr(plans, "explain", lambda *_arguments: answer)
    (scan,) = plans.scans(node())
    assert plans.hypothetical(SimpleNamespace(connection=fake), "ext", scan, ("note", "at"), "SELECT 1", "public") == cost  # type: ignore[arg-type]
    assert fake.done == [
        """SELECT "ext".hypopg_create_index(%s) ('CREATE INDEX ON "public"."big" ("note", "at")',)""",
        'SELECT "ext".hypopg_reset() None',
    ]


def test_what_is_only_for_the_planner_goes_even_if_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeConnection()

    def refuse(*_arguments: Any) -> Any:
        raise plans.NotExplained("no")

    monkeypatch.setattr(plans, "explain", refuse)
    (scan,) = plans.scans(node())
    with pytest.raises(plans.NotExplained):
        plans.hypothetical(SimpleNamespace(connection=fake), "ext", scan, ("note",), "SELECT 1", "public")  # type: ignore[arg-type]
    assert fake.done[-1] == 'SELECT "ext".hypopg_reset() None'


def test_only_statements_that_can_be_planned_here_and_take_time_are_candidates() -> None:
    rows = [
        row(1, 360.0),
        row(2, 360.0, here=False),
        row(3, 360.0, query="ALTER TABLE t ADD x int"),
        row(4, 9.0),
        row(5, 11.0, query=" (SELECT 1) UNION SELECT 2"),
    ]
    told = statements.spending(reading(*rows), None)
    assert [one.statement.key[0] for one in indexes._candidates(told)] == ["1", "5"]


def test_a_role_finds_its_tables_by_its_own_path() -> None:
    assert indexes._path('od"d', {}) == '"od""d", public'
    assert indexes._path("app", {"app": '"$user", leanvibe'}) == '"app", leanvibe'


# Locks


def row_of(pid: int, blockers: list[int] | None = None, waiting: float | None = None, **more: Any) -> dict[str, Any]:
    usual = {"pid": pid, "role": f"role{pid}", "application": "", "kind": "client backend", "state": "active", "in_transaction": 5.0}
    return {**usual, "blockers": blockers or [], "waiting": waiting, **more}


def test_trees_are_told_from_their_roots() -> None:
    rows = [
        row_of(1, state="idle in transaction", application="batch"),
        row_of(2, [1], 60.0, role="tenant_acme_corp"),
        row_of(3, [2], 30.0),
        row_of(4, [1, 3], 10.0),
        row_of(5),
        row_of(6, [5], 2.0),
        row_of(7, [5], 0.5),
    ]
    first, second = locks.trees(rows)
    assert (first.observed, first.name, first.tenants) == (3 * 3600, "role1/batch", ("acme-corp",))
    assert first.message == (
        "root process 1 (role1/batch): idle in transaction, 5 s in its transaction blocks 3 session(s), the longest for 60 s; "
        "each loses an hour an hour for as long as it lasts. Ask its owner, or SELECT pg_terminate_backend(1)"
    )
    assert first.evidence is not None
    assert [line.split(":")[0] for line in first.evidence.splitlines()] == [
        "process 1 (role1/batch)",
        "  <- process 2 (tenant_acme_corp) waits 60 s",
        "    <- process 3 (role3) waits 30 s",
        "      <- process 4 (role4) waits 10 s",
        "  <- process 4 (role4) waits 10 s",
    ]
    assert (second.observed, second.name) == (3600, "role5/-")


@pytest.mark.parametrize(
    "rows",
    [[], [row_of(1), row_of(2)], [row_of(1), row_of(2, [1], 0.9)], [row_of(1, [2], 9.0), row_of(2, [1], 9.0)]],
    ids=["none", "idle", "short", "ring"],
)
def test_no_root_no_finding(rows: list[dict[str, Any]]) -> None:
    assert list(locks.trees(rows)) == []


def test_roots_that_are_no_sessions_are_named() -> None:
    prepared, ended = locks.trees([row_of(2, [0], 5.0), row_of(3, [99], 5.0)])
    assert prepared.message.startswith("root a prepared transaction blocks 1 session(s)")
    assert ended.message.startswith("root process 99, which has ended blocks 1 session(s)")


# Reads

NOW = {"at": AT, "reset": AT - 7200, "seconds": 20.0, "hits": 900.0, "reads": 100.0}


def test_reads_are_measured_since_the_last_run_else_since_their_reset() -> None:
    earlier = {**NOW, "at": AT - 600, "seconds": 5.0, "hits": 400.0, "reads": 50.0}
    assert reads.between(NOW, earlier) == ({"at": 600.0, "seconds": 15.0, "hits": 500.0, "reads": 50.0}, "since the last run 10 min ago")
    whole = ({**NOW, "at": 7200.0}, "since the counters began 2.0 h ago")
    assert reads.between(NOW, None) == whole
    assert reads.between(NOW, {**earlier, "reset": 1.0}) == whole
    assert reads.between(NOW, {**earlier, "seconds": 21.0}) == whole
    with pytest.raises(NotApplicable, match="the next run"):
        reads.between({**NOW, "reset": 0.0}, None)


def test_nothing_is_explained_with_all_rights() -> None:
    """Planning runs functions that a tenant may have written."""
    info = SimpleNamespace(parameter_status={"is_superuser": "on"}.get)
    session: Any = SimpleNamespace(client=SimpleNamespace(connection=SimpleNamespace(info=info)))
    with pytest.raises(NoData, match="leanvibe_ops_diagnose_postgresql"):
        indexes._indexes(session)
