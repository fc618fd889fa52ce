# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields of an object are ours, and which differences count."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.kubernetes_fields import differences, quantity, same

OURS = "leanvibe.ops"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1000m", 1), ("1", 1), ("0.5", "0.5"), ("500m", "0.5"), (".5", "0.5"), ("1Gi", 1073741824), ("1024Mi", 1073741824), ("1G", 1000000000),
        ("1e3", 1000), ("1E3", 1000), ("1E", 10**18), ("1Ei", 1024**6), ("12", 12), ("1k", 1000), ("5u", "0.000005"), ("7n", "0.000000007"), ("-1", -1), (3, 3),
    ],
)  # fmt: skip
def test_quantities(text: str, number: Any) -> None:
    assert quantity(text) == Decimal(str(number))


@pytest.mark.parametrize("text", ["", "1K", "1gi", "Gi", "1 Gi", "1..2", "0x10", "1e", "\u0661", None, "nan", "inf"])
def test_what_is_no_quantity_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        quantity(text)


def test_quantities_are_compared_only_where_they_are_quantities() -> None:
    assert same({"cpu": "1000m"}, {"cpu": "1"}, quantities=True)
    assert not same({"cpu": "1000m"}, {"cpu": "1"}, quantities=False)
    assert not same(["1"], ["1", "1"], quantities=True)
    assert not same({"cpu": "1"}, {"cpu": "1", "memory": "1"}, quantities=True)
    assert not same("a", "b", quantities=True)


def tree(value: Any) -> Any:
    return {f"f:{key}": tree(item) for key, item in value.items()} if isinstance(value, dict) and value else {}


def live(desired: dict[str, Any], manager: str = OURS, operation: str = "Apply") -> dict[str, Any]:
    """The object as the server keeps it after we applied it and nothing else happened."""
    made = copy.deepcopy(desired)
    fields = tree({key: value for key, value in desired.items() if key not in ("apiVersion", "kind", "metadata")})
    fields["f:metadata"] = tree({key: value for key, value in desired["metadata"].items() if key not in ("name", "namespace")})
    made["metadata"].update(uid="u", resourceVersion="1", managedFields=[{"manager": manager, "operation": operation, "fieldsV1": fields}])
    return made


QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "q", "namespace": "n", "labels": {"leanvibe.ai/tier": "team"}},
    "spec": {"hard": {"pods": "10", "limits.cpu": "1"}},
}
POLICY = {"apiVersion": "x", "kind": "NetworkPolicy", "metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}


def test_what_we_applied_has_no_difference() -> None:
    for desired in (QUOTA, POLICY):
        assert differences(desired, live(desired), OURS) == []


def test_a_changed_value_is_a_difference_with_its_holder() -> None:
    actual = live(QUOTA)
    actual["spec"]["hard"]["pods"] = "99"
    del actual["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:hard"]["f:pods"]
    actual["metadata"]["managedFields"].append({"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:hard": {"f:pods": {}}}}})
    (found,) = differences(QUOTA, actual, OURS)
    assert (found.path, found.before, found.after, found.holder) == (("spec", "hard", "pods"), "99", "10", "kubectl-edit")
    assert found.text() == "spec.hard.pods (taken back from kubectl-edit)"


def test_the_same_quantity_written_differently_is_no_difference() -> None:
    actual = live(QUOTA)
    actual["spec"]["hard"]["limits.cpu"] = "1000m"
    assert differences(QUOTA, actual, OURS) == []


def test_fields_of_others_are_no_difference() -> None:
    actual = live(QUOTA)
    actual["metadata"]["labels"]["team"] = "blue"
    actual["spec"]["hard"]["count/secrets"] = "3"
    actual["status"] = {"used": {"pods": "1"}}
    assert differences(QUOTA, actual, OURS) == []


def test_a_right_value_that_is_not_ours_is_a_difference() -> None:
    assert all(item.text().endswith("(taken back from kubectl)") for item in differences(QUOTA, live(QUOTA, manager="kubectl"), OURS))
    assert len(differences(QUOTA, live(QUOTA, operation="Update"), OURS)) == 3


def test_what_we_applied_and_no_longer_declare_is_a_difference() -> None:
    less = copy.deepcopy(QUOTA)
    del less["spec"]["hard"]["pods"]
    (found,) = differences(less, live(QUOTA), OURS)
    assert (found.path, found.before, found.after) == (("spec", "hard", "pods"), "10", None)


def test_removed_fields_are_found_again() -> None:
    actual = live(QUOTA)
    del actual["metadata"]["labels"]
    (found,) = differences(QUOTA, actual, OURS)
    assert (found.before, found.after) == (None, "team")
    assert found.text() == 'metadata.labels["leanvibe.ai/tier"]'


def test_an_empty_selector_that_was_narrowed_is_a_difference() -> None:
    actual = live(POLICY)
    actual["spec"]["podSelector"] = {"matchLabels": {"app": "web"}}
    (found,) = differences(POLICY, actual, OURS)
    assert found.path == ("spec", "podSelector")
    assert found.after == {}


def test_a_list_is_one_field_and_its_order_counts() -> None:
    actual = live(POLICY)
    actual["spec"]["policyTypes"] = ["Ingress", "Egress"]
    assert [item.path for item in differences(POLICY, actual, OURS)] == [("spec", "policyTypes")]


CONDITIONS = {
    "apiVersion": "x",
    "kind": "P",
    "metadata": {"name": "p", "labels": {"a": "b"}},
    "spec": {"matchConditions": [{"name": "a", "expression": "true"}]},
}


def with_conditions(*names: str, held: tuple[str, ...] = ("a",)) -> dict[str, Any]:
    actual = live(CONDITIONS)
    actual["spec"]["matchConditions"] = [{"name": name, "expression": "true"} for name in names]
    fields = {f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:expression": {}} for name in held}
    actual["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:matchConditions"] = fields
    return actual


def test_a_list_that_is_merged_by_key_leaves_items_of_others_alone() -> None:
    assert differences(CONDITIONS, with_conditions("a"), OURS) == []
    assert differences(CONDITIONS, with_conditions("a", "theirs"), OURS) == []
    assert len(differences(CONDITIONS, with_conditions("theirs"), OURS)) == 1
    assert len(differences(CONDITIONS, with_conditions("a", "b", held=("a", "b")), OURS)) == 1


def test_entries_for_subresources_are_not_ours() -> None:
    actual = live(QUOTA)
    actual["metadata"]["managedFields"][0]["subresource"] = "status"
    assert len(differences(QUOTA, actual, OURS)) == 3
