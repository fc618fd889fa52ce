# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what endpoints returned to verdicts: nothing that failed, or that nothing was heard of, may look like success."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.filter.endpoints import endpoints
from ansible_collections.leanvibe.ops.plugins.filter.finished import finished as finished_filter
from ansible_collections.leanvibe.ops.plugins.filter.ready import ready as ready_filter
from ansible_collections.leanvibe.ops.plugins.module_utils.registry.observed import Known
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.model import Item
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.collecting import ready
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.outcome import Endpoint, Outcome, action_items, notes, observations
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.status import status_items

PLACEMENT = {"redis": {"us-east-1": "all"}}
PLACED = {"us-east-1": {"all": ["acme", "globex"], "home": ["acme"]}}
CHANGE = {"object": "user tenant-acme", "action": "create", "fields": ["rights"]}


def result(tenant: str, verdict: str = "succeeded", changes: tuple[dict[str, Any], ...] = (), message: str = "") -> dict[str, Any]:
    return {"tenant": tenant, "verdict": verdict, "changed": bool(changes), "changes": list(changes), "message": message}


def phase(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"results": list(results), **more}


def endpoint(*phases: dict[str, Any], system: str = "redis", placement: str = "all") -> Endpoint:
    return Endpoint.from_mapping({"system": system, "region": "us-east-1", "placement": placement, "phases": list(phases)})


def acting(*endpoints_: Endpoint, **more: Any) -> dict[str, Item]:
    items = action_items(Outcome(endpoints_, PLACED, **more), PLACEMENT)
    return {f"{item.id} {item.subject}": item for item in items}


def looking(*endpoints_: Endpoint, known: Known | None = None, **more: Any) -> dict[str, Item]:
    items = status_items(Outcome(endpoints_, PLACED, **more), known or Known([], [], []), "", PLACEMENT)
    return {f"{item.id} {item.subject}": item for item in items}


def test_each_tenant_system_and_region_is_one_item() -> None:
    items = acting(endpoint(phase(result("acme", changes=(CHANGE,)), result("globex", "refused", message="3 in use, 2 allowed"))))
    assert items["tenants.redis us-east-1/redis/acme"].changed
    assert items["tenants.redis us-east-1/redis/globex"].verdict == "refused"
    assert items["tenants.dashboard control/monitoring"].verdict == "skipped"
    assert len(items) == 3


def test_a_host_that_failed_fails_every_tenant_that_belongs_there() -> None:
    items = acting(endpoint({"msg": "Redis at a:1 does not answer"}))
    assert [items[f"tenants.redis us-east-1/redis/{tenant}"].verdict for tenant in ("acme", "globex")] == ["failed", "failed"]
    assert items["tenants.redis us-east-1/redis/acme"].message == "Redis at a:1 does not answer"


def test_a_later_phase_that_failed_takes_back_an_earlier_success_but_not_what_was_changed() -> None:
    items = acting(endpoint(phase(result("acme", changes=(CHANGE,)), result("globex", "refused", message="x")), {"msg": "gone"}))
    assert items["tenants.redis us-east-1/redis/acme"].verdict == "failed"
    assert items["tenants.redis us-east-1/redis/acme"].changed
    assert items["tenants.redis us-east-1/redis/globex"].verdict == "refused"


def test_silence_about_a_tenant_is_a_failure() -> None:
    assert acting(endpoint(phase(result("acme"))))["tenants.redis us-east-1/redis/globex"].verdict == "failed"


def test_phases_add_up_to_the_worst_verdict_and_all_changes() -> None:
    items = acting(endpoint(phase(result("acme", changes=(CHANGE,)), result("globex")), phase(result("acme", "failed", (CHANGE,), "second"), result("globex"))))
    merged = items["tenants.redis us-east-1/redis/acme"]
    assert (merged.verdict, len(merged.changes), merged.message) == ("failed", 2, "second")


def test_a_region_without_a_host_is_a_failure() -> None:
    assert acting()["tenants.inventory us-east-1/redis"].verdict == "failed"


@pytest.mark.parametrize("placement", ["replica", "absent"])
def test_where_nothing_is_written_is_skipped_with_its_reason(placement: str) -> None:
    items = acting(endpoint(placement=placement))
    assert items["tenants.redis us-east-1/redis"].verdict == "skipped"
    assert "leanvibe_ops_placement" in items["tenants.redis us-east-1/redis"].message


def test_undeclared_tenants_are_named_and_left_alone() -> None:
    items = acting(endpoint(phase(result("acme"), result("globex"), undeclared=["ghost", "Not An Id"])), undeclared=["phantom"])
    assert "'Not An Id'" in repr(items["tenants.undeclared us-east-1/redis"].message.split(": ")[1].split(".")[0])
    assert list(items["tenants.undeclared us-east-1/redis"].tenants) == ["ghost"]
    assert items["tenants.undeclared control/registry"].verdict == "skipped"


def test_many_undeclared_names_are_shortened_and_all_of_them_are_kept_as_evidence() -> None:
    names = [f"Odd {number:02}" for number in range(40)]
    item = acting(endpoint(phase(result("acme"), result("globex"), undeclared=names)))["tenants.undeclared us-east-1/redis"]
    assert "Odd 09 and 30 more." in item.message
    assert item.evidence == ", ".join(names)
    few = acting(endpoint(phase(result("acme"), result("globex"), undeclared=names[:10])))["tenants.undeclared us-east-1/redis"]
    assert "Odd 09." in few.message
    assert few.evidence is None


def test_refused_and_kept_out_tenants_say_why() -> None:
    items = acting(endpoint(phase(result("acme"), result("globex"))), refused={"moved": "home"}, kept_out={"us-east-1": ["eu"]})
    assert items["tenants.registry control/registry/moved"].verdict == "refused"
    assert items["tenants.redis us-east-1/redis/eu"].verdict == "skipped"


def test_a_refused_run_is_one_refused_item() -> None:
    items = acting(endpoint(phase(result("acme"))), refusal=("Take leases", "held by bob"))
    assert [(item.verdict, item.message) for item in items.values()] == [("refused", "held by bob")]


def test_changes_for_all_tenants_together_are_an_item() -> None:
    assert acting(endpoint(phase(result("acme"), result("globex"), platform=[CHANGE])))["tenants.redis us-east-1/redis"].changed


def test_notes_are_said_once_with_all_their_places() -> None:
    one, two = endpoint(phase(notes=["not enforced"])), endpoint(phase(notes=["not enforced"]), system="neo4j")
    assert notes(Outcome([one, two])) == ["us-east-1/redis, us-east-1/neo4j: not enforced"]


def test_the_registry_gets_what_was_seen_of_each_tenant() -> None:
    rows = observations(
        Outcome([endpoint(phase(result("acme", changes=(CHANGE,)), observed={"acme": {"enabled": True}})), endpoint(placement="replica")], PLACED)
    )
    assert [(row.tenant, row.verdict, row.observed, len(row.changes)) for row in rows] == [
        ("acme", "succeeded", {"enabled": True}, 1),
        ("globex", "failed", {}, 0),
    ]


def test_status_calls_only_what_was_seen_as_declared_ok() -> None:
    items = looking(endpoint(phase(result("acme"), result("globex", changes=(CHANGE,)))))
    assert items["tenants.redis us-east-1/redis/acme"].verdict == "ok"
    assert items["tenants.redis us-east-1/redis/globex"].verdict == "degraded"
    assert "create user tenant-acme (rights)" in items["tenants.redis us-east-1/redis/globex"].message


@pytest.mark.parametrize("said", [({"msg": "no answer"},), (), (phase(result("acme", "failed", message="no Secret")),)])
def test_status_of_what_did_not_answer_is_unknown(said: tuple[dict[str, Any], ...]) -> None:
    assert looking(endpoint(*said))["tenants.redis us-east-1/redis/acme"].verdict == "unknown"


def test_status_without_the_registry_is_unknown_and_goes_on() -> None:
    items = status_items(Outcome([endpoint(phase(result("acme"), result("globex")))], PLACED), None, "registry away", PLACEMENT)
    assert [item.verdict for item in items] == ["unknown", "ok", "ok"]


def test_status_tells_of_a_run_that_never_ended() -> None:
    run = {"operation": "tenants", "run_id": "r1", "owner": "ada", "started": "2026-01-01T00:00:00Z", "finished": None}
    assert looking(known=Known([], [], [run]))["tenants.last_run control/registry"].verdict == "degraded"


def test_status_shows_what_the_registry_last_saw() -> None:
    row = {"tenant": "acme", "system": "redis", "region": "us-east-1", "verdict": "succeeded", "observed": {"a": 1}, "last_change": None, "last_seen": "then"}
    item = looking(endpoint(phase(result("acme"), result("globex"))), known=Known([], [row], []))["tenants.redis us-east-1/redis/acme"]
    assert item.observed == {"a": 1}
    assert item.evidence == "registry: succeeded, last seen then, last change never"


HOSTVARS = {
    "controller": {"leanvibe_ops_system": "control", "leanvibe_ops_region": "us-east-1"},
    "redis-1": {
        "leanvibe_ops_system": "redis",
        "leanvibe_ops_region": "us-east-1",
        "__tenants_prepared": {"skipped": True, "changed": False},
        "__tenants_reconciled": {"results": [], "observed": {}, "invocation": {"module_args": {}}, "diff": {}, "changed": False},
    },
    "redis-2": {"leanvibe_ops_system": "redis", "leanvibe_ops_region": "us-west-2", "__tenants_reconciled": {"failed": True, "msg": "denied"}},
}


def test_the_filter_takes_results_and_failures_and_leaves_the_large_rest() -> None:
    assert endpoints(HOSTVARS, list(HOSTVARS), PLACEMENT) == [
        {"system": "redis", "region": "us-east-1", "placement": "all", "phases": [{"results": [], "observed": {}}]},
        {"system": "redis", "region": "us-west-2", "placement": "absent", "phases": [{"msg": "denied"}]},
    ]


def test_ready_is_who_succeeded_wherever_he_belongs() -> None:
    one = {"system": "redis", "region": "us-east-1", "placement": "all", "phases": [phase(result("acme"), result("globex"))]}
    assert ready([one], PLACED) == ["acme", "globex"]
    assert ready([one, {**one, "phases": [phase(result("acme"), result("globex", "failed"))]}], PLACED) == ["acme"]
    assert ready([one, {**one, "phases": [{"msg": "gone"}]}], PLACED) == []
    assert ready([one, {**one, "phases": [phase(result("acme"))]}], PLACED) == ["acme"]
    assert ready([one, {**one, "placement": "replica", "phases": []}], PLACED) == ["acme", "globex"]


def test_the_filters_read_results_past_the_template_engine() -> None:
    class Hostvars(dict[str, Any]):
        def raw_get(self, host: str) -> dict[str, Any]:
            return {"__tenants_reconciled": phase(result("acme"), result("globex"))} if host == "redis-1" else {}

    cooked = Hostvars({host: {name: variables[name] for name in ("leanvibe_ops_system", "leanvibe_ops_region")} for host, variables in HOSTVARS.items()})
    assert json.loads(endpoints(cooked, ["redis-1"], PLACEMENT, text=True)) == endpoints(cooked, ["redis-1"], PLACEMENT)
    assert ready_filter(cooked, ["redis-1"], PLACEMENT, PLACED) == ["acme", "globex"]


@pytest.mark.parametrize(
    ("east", "west", "expected"),
    [
        ({"finished": True}, {"finished": True}, True),
        ({"finished": True}, {"finished": False}, False),
        ({"finished": True}, {"failed": True, "msg": "gone"}, False),
        ({"finished": True}, {}, False),
        ({"finished": True}, {"skipped": True}, True),
        ({"finished": True}, None, True),
    ],
)
def test_nothing_is_finished_before_everybody_has(east: Any, west: Any, expected: bool) -> None:
    hostvars = {"k-east": {"__tenants_prepared": east}, "k-west": {} if west is None else {"__tenants_prepared": west}}
    assert finished_filter(hostvars, ["k-east", "k-west"]) is expected
