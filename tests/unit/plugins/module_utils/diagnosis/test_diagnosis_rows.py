# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the rows of shared tables are: what is read stays bounded, samples are told as estimates, and what was not counted is no zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.postgresql import rows
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Finding, NoData, NotApplicable, Session
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import item


def table(name: str, pages: int = 10, size: float = 1000.0, **more: Any) -> dict[str, Any]:
    return {"schema": "leanvibe", "name": name, "pages": pages, "bytes": size, "counted": True, **more}


def counted(name: str, tenant: str, number: float) -> dict[str, Any]:
    return {"name": name, "tenant": tenant, "counted": number}


class FakeServer:
    """Answers each of the check's statements; remembers what was to be counted."""

    params: Mapping[str, Any] = {"username": "leanvibe_health"}

    def __init__(self, tables: list[dict[str, Any]], found: list[dict[str, Any]] | None = None, *, made: bool = True, standby: bool = False) -> None:
        self.tables, self.found, self.made, self.standby = tables, found or [], made, standby
        self.counted: list[Mapping[str, Any]] = []

    def rows(self, query: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        if query == rows._COUNT:
            self.counted.append(values or {})
            return self.found
        answers = {rows._TABLES: self.tables, rows._MADE: [{"made": self.made}]}
        return answers.get(query, [{"recovering": self.standby}])


def look(server: FakeServer, tenant: str = "") -> list[Finding]:
    session: Session[Any] = Session(server, "postgresql", "here", {"diagnosed_tenant": tenant})
    return list(rows.ROWS.run(session))


def told(found: list[Finding]) -> list[tuple[str, str, Any]]:
    made = [item(rows.ROWS, finding, "here/postgresql") for finding in found]
    return [(one["subject"].removeprefix("here/postgresql").strip("/"), one["verdict"], one["observed"]) for one in made]


@pytest.mark.parametrize(
    ("pages", "budget", "expected"),
    [
        ({}, 100, {}),
        ({"a": 0, "b": 0}, 100, {"a": 100.0, "b": 100.0}),
        ({"a": 40, "b": 60}, 100, {"a": 100.0, "b": 100.0}),
        ({"a": 400}, 100, {"a": 25.0}),
        ({"small": 10, "big": 900}, 100, {"small": 100.0, "big": 10.0}),
        ({"small": 10, "big": 450, "bigger": 900}, 100, {"small": 100.0, "big": 10.0, "bigger": 5.0}),
    ],
)
def test_what_is_read_stays_within_the_budget(pages: dict[str, int], budget: int, expected: dict[str, float]) -> None:
    found = rows.percents(pages, budget)
    assert found == pytest.approx(expected)
    assert sum(pages[name] * share / 100 for name, share in found.items()) <= budget + 1e-9


def test_a_thousand_tables_of_a_terabyte_are_read_for_no_more_than_the_budget() -> None:
    pages = {f"t{number}": 2**27 for number in range(1000)}
    assert sum(pages[name] * share / 100 for name, share in rows.percents(pages, rows.BUDGET).items()) == pytest.approx(rows.BUDGET)


def test_rows_of_all_tables_are_added_up_and_the_biggest_tenant_comes_first() -> None:
    found = [counted("users", "a", 1_600_000), counted("users", "b", 100_000), counted("tasks", "a", 200_000), counted("tasks", "b", 100_000)]
    server = FakeServer([table("tasks", size=3 * 2**20), table("users", size=17 * 2**20)], found)
    first, second = look(server)
    assert told([first, second]) == [("tenant/a", "degraded", 90.0), ("tenant/b", "ok", 10.0)]
    assert first.message == "a: 1800000 rows of 2000000 rows in 2 shared tables; number 1 of 2 tenants that take any"
    assert first.evidence == "about 18.0 MiB, if rows are of one size\nusers: 1600000 rows\ntasks: 200000 rows"
    assert server.counted == [{"names": ["tasks", "users"], "percents": [100.0, 100.0]}]
    assert told(look(server, "b")) == [("tenant/b", "ok", 10.0)]
    (nobody,) = look(server, "c")
    assert (nobody.observed, nobody.evidence) == (0.0, None)


def test_a_big_share_of_few_rows_is_fine() -> None:
    assert told(look(FakeServer([table("users")], [counted("users", "a", rows.JUDGED_ROWS - 1)]))) == [("tenant/a", "ok", 100.0)]
    assert told(look(FakeServer([table("users")], [counted("users", "a", rows.JUDGED_ROWS)]))) == [("tenant/a", "degraded", 100.0)]


def test_a_big_table_is_a_sample_and_called_one() -> None:
    server = FakeServer([table("events", pages=rows.BUDGET * 100)], [counted("events", "a", 900), counted("events", "b", 100)])
    first, _second = look(server)
    assert server.counted[0]["percents"] == [1.0]
    assert first.message.startswith("a: 90000 rows of 100000 rows in 1 shared tables (1 of them estimated: events)")
    assert "events: 90000 rows (estimated from 1 % of its pages)" in str(first.evidence)


def test_a_table_that_nobody_may_count_is_unknown_and_the_others_are_counted() -> None:
    server = FakeServer([table("users"), table("ledger", schema="other", counted=False)], [counted("users", "a", 5)])
    assert [(one[0], one[1]) for one in told(look(server))] == [("not counted", "unknown"), ("tenant/a", "ok")]
    assert server.counted[0]["names"] == ["users"]
    (only,) = look(FakeServer([table("ledger", counted=False)]))
    assert (only.verdict, only.observed) == ("unknown", None)
    assert only.message.startswith("not counted: leanvibe.ledger (1 of 1 shared tables)")


def test_where_nothing_can_be_counted_there_is_no_zero() -> None:
    with pytest.raises(NotApplicable, match="no tables that tenants share"):
        look(FakeServer([]))
    with pytest.raises(NoData, match=r"leanvibe_private.tenant_rows is not in this database.*run the role leanvibe.ops.platform_database"):
        look(FakeServer([table("users")], made=False))
    with pytest.raises(NotApplicable, match="standby"):
        look(FakeServer([table("users")], standby=True))


def test_empty_tables_are_a_zero_that_was_measured() -> None:
    (found,) = look(FakeServer([table("users", pages=0)]))
    assert (found.observed, found.verdict, found.message) == (0, "ok", "nothing at all is taken in 1 shared tables")
