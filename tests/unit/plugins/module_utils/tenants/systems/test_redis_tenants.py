# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on Redis: plan, the transaction, and what its failures mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.redis import Reply, ReplyError
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import LeaseLost, OpsError, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import NoLease
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import TenantCredentials
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import redis as system
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.redis_acl import AclUser, Catalogue, password_hash
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.redis_rights import ALLOWED_IF_KNOWN

PASSWORD = "hunter2-hunter2"
HASH = password_hash(PASSWORD)
CATALOGUE = Catalogue({"string": ["get", "set"], "keyspace": ["scan"]})
COMMANDS = ("get", "set")


def tenant(name: str = "a", **change: Any) -> Tenant:
    return Tenant(name, "A", "team", "us-east-1", **change)


def credentials(password: str = PASSWORD) -> TenantCredentials:
    return TenantCredentials(1, "current", "p", password, "tenant-a-00000000", "s")


def as_it_must_be(name: str = "a", *, enabled: bool = True) -> AclUser:
    prefix = frozenset({f"tenant:{name}:*"})
    return AclUser(f"tenant-{name}", enabled, hashes=frozenset({HASH}), keys=prefix, channels=prefix, commands=frozenset(COMMANDS))


def actual(*users: AclUser, unsaved: bool = False) -> system.Actual:
    return system.Actual({user.name: user for user in users}, COMMANDS, CATALOGUE, unsaved)


def planned(declared: Tenant, *users: AclUser, secret: Any = None, unsaved: bool = False) -> system.Plan:
    return system.plan([declared], frozenset({declared.id}), {declared.id: secret or credentials()}, actual(*users, unsaved=unsaved))


class Node:
    """Plays Redis: keeps commands, answers as told."""

    where = "Redis test:1"

    def __init__(self, **answers: Reply) -> None:
        self.answers = answers
        self.sent: list[tuple[Any, ...]] = []
        self.requests = 0

    def pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Reply]:
        replies = [self.reply(tuple(command)) for command in commands]
        if commands[0] == ("MULTI",):
            inner = [reply for command, reply in zip(commands, replies, strict=True) if command not in (("MULTI",), ("EXEC",))]
            return ["OK", *("QUEUED" for _reply in inner), self.answers.get("exec", inner)]
        return replies

    def call(self, *command: Any) -> Reply:
        reply = self.reply(command)
        if isinstance(reply, ReplyError):
            raise self.error(reply, command)
        return reply

    def reply(self, command: tuple[Any, ...]) -> Reply:
        self.sent.append(command)
        self.requests += 1
        for key, answer in self.answers.items():
            if " ".join(map(str, command)).lower().startswith(key.replace("_", " ")):
                return answer
        return "OK"

    def error(self, reply: ReplyError, command: Sequence[Any]) -> OpsError:
        return OpsError(f"{command[0]} {command[1] if len(command) > 1 else ''}: {reply}")


def test_a_new_tenant_gets_a_user_and_no_secret_is_shown() -> None:
    plan = planned(tenant())
    (step,) = plan.steps
    assert AclUser("tenant-a").with_rules(step.rules, CATALOGUE) == as_it_must_be()
    assert step.rules[0] == "reset"
    assert (step.changes[0].action, step.kill, plan.save) == ("create", False, True)
    answer = system.result("us-east-1", plan, 0).to_exit()
    assert answer["changed"] is True
    for shown in (repr(plan), repr(answer)):
        assert HASH not in shown
        assert PASSWORD not in shown


def test_what_is_as_it_must_be_is_left_alone() -> None:
    plan = planned(tenant(), as_it_must_be())
    assert (plan.steps[0].rules, plan.steps[0].changes, plan.save) == ((), (), False)
    assert system.result("us-east-1", plan, 0).to_exit()["changed"] is False


@pytest.mark.parametrize(
    ("drift", "field", "kill"),
    [
        ({"enabled": False}, "enabled", False),
        ({"hashes": frozenset({"00" * 32})}, "password", True),
        ({"hashes": frozenset({HASH, "00" * 32})}, "password", True),
        ({"hashes": frozenset(), "nopass": True}, "password", True),
        ({"keys": frozenset({"*"})}, "keys", False),
        ({"channels": frozenset({"*"})}, "channels", False),
        ({"commands": frozenset({"get", "set", "scan"})}, "commands", False),
        ({"commands": frozenset({"get"})}, "commands", False),
        ({"selectors": ("(~* +@all)",)}, "selectors", False),
        ({"sanitize": False}, "sanitize", False),
    ],
)
def test_every_drift_is_seen_and_undone(drift: dict[str, Any], field: str, kill: bool) -> None:
    user = AclUser(**{**as_it_must_be().__dict__, **drift})
    (step,) = planned(tenant(), user).steps
    assert AclUser("tenant-a").with_rules(step.rules, CATALOGUE) == as_it_must_be()
    assert step.changes[0].action == "update"
    assert list(step.changes[0].fields) == [field]
    assert step.kill is kill
    assert "00" * 32 not in repr(step.changes)


def test_suspension_switches_the_user_off_and_ends_its_sessions() -> None:
    (step,) = planned(tenant(state="suspended"), as_it_must_be()).steps
    assert AclUser("tenant-a").with_rules(step.rules, CATALOGUE) == as_it_must_be(enabled=False)
    assert step.kill
    (again,) = planned(tenant(state="suspended"), as_it_must_be(enabled=False)).steps
    assert again.rules == ()


@pytest.mark.parametrize("state", ["active", "suspended"])
def test_without_the_secret_the_password_stays_and_the_tenant_fails(state: str) -> None:
    drifted = AclUser(**{**as_it_must_be().__dict__, "keys": frozenset({"*"})})
    plan = planned(tenant(state=state), drifted, secret=OpsError("Secret x in us-east-1 cannot be read"))
    assert AclUser("tenant-a").with_rules(plan.steps[0].rules, CATALOGUE) == as_it_must_be(enabled=state == "active")
    (result,) = system.result("us-east-1", plan, 0).results
    assert (result.verdict, len(result.changes)) == ("failed", 1)
    assert "Secret x" in result.message


def test_without_the_secret_no_user_is_made() -> None:
    plan = planned(tenant(), secret=OpsError("no Secret"))
    assert (plan.steps[0].rules, plan.save) == ((), False)
    assert system.result("us-east-1", plan, 0).results[0].verdict == "failed"


def test_undeclared_tenants_are_listed_and_others_users_are_not() -> None:
    users = [AclUser("tenant-gone"), AclUser("tenant-b"), AclUser("tenant-Not an id")]
    plan = system.plan([tenant()], frozenset({"a", "b"}), {"a": credentials()}, actual(*users, as_it_must_be()))
    assert system.result("us-east-1", plan, 0).undeclared == ["gone"]


def test_all_writes_are_one_transaction_that_saves_the_file() -> None:
    tenants = [tenant("a"), tenant("b", state="suspended")]
    plan = system.plan(tenants, frozenset("ab"), {"a": credentials(), "b": credentials()}, actual(as_it_must_be("b")))
    node = Node()
    assert system.apply(plan, node, NoLease()) == {}
    assert [command[:3] for command in node.sent] == [
        ("MULTI",),
        ("ACL", "SETUSER", "tenant-a"),
        ("ACL", "SETUSER", "tenant-b"),
        ("CLIENT", "KILL", "USER"),
        ("ACL", "DELUSER", system.UNSAVED_MARK),
        ("ACL", "SAVE"),
        ("EXEC",),
    ]


def test_nothing_to_write_sends_nothing() -> None:
    node = Node()
    assert system.apply(planned(tenant(), as_it_must_be()), node, NoLease()) == {}
    assert node.sent == []


def test_large_runs_are_cut_into_transactions() -> None:
    names = [f"t{number}" for number in range(system.BATCH + 1)]
    plan = system.plan([tenant(name) for name in names], frozenset(names), dict.fromkeys(names, credentials()), actual())
    node = Node()
    system.apply(plan, node, NoLease())
    assert [command for command in node.sent if command == ("EXEC",)] == [("EXEC",)] * 2


def test_a_user_that_redis_refuses_fails_alone() -> None:
    plan = system.plan([tenant("a"), tenant("b")], frozenset("ab"), {"a": credentials(), "b": credentials()}, actual())
    problems = system.apply(plan, Node(exec=[ReplyError("ERR bad rule"), 1, 0, "OK"]), NoLease())
    assert list(problems) == ["a"]
    results = {result.tenant: result for result in system.result("us-east-1", plan, 0, problems).results}
    assert (results["a"].verdict, results["a"].changes, results["b"].verdict) == ("failed", [], "succeeded")


def test_a_file_that_cannot_be_written_leaves_a_mark_and_the_next_run_writes_it() -> None:
    node = Node(acl_save=ReplyError("ERR no space left"))
    problems = system.apply(planned(tenant()), node, NoLease())
    assert "would be lost by a restart" in problems["a"]
    assert node.sent[-1] == ("ACL", "SETUSER", system.UNSAVED_MARK, "reset", "off")
    following = planned(tenant(), as_it_must_be(), unsaved=True)
    assert following.save
    assert system.result("us-east-1", following, 0).to_exit()["platform"] == [{"object": "ACL file", "action": "update", "fields": ["users"]}]
    with pytest.raises(OpsError, match="would be lost"):
        system.apply(following, node, NoLease())
    repaired = Node()
    assert system.apply(following, repaired, NoLease()) == {}
    assert ("ACL", "SAVE") in repaired.sent


def test_a_discarded_transaction_and_a_refused_command_are_errors() -> None:
    with pytest.raises(OpsError, match="discarded"):
        system.apply(planned(tenant()), Node(exec=None), NoLease())
    with pytest.raises(OpsError, match="EXECABORT"):
        system.apply(planned(tenant()), Node(exec=ReplyError("EXECABORT no")), NoLease())


def test_a_lost_lease_writes_nothing() -> None:
    class Lost(NoLease):
        def check(self) -> None:
            raise LeaseLost("gone")

    node = Node()
    with pytest.raises(LeaseLost):
        system.apply(planned(tenant()), node, Lost())
    assert node.sent == []


NAMES = frozenset({"tenant-a"})


def answers(**change: Reply) -> dict[str, Reply]:
    return {
        "info": "redis_version:7.0.15\r\n",
        "config_get": ["aclfile", "/x"],
        "acl_list": ["user default off", "user tenant-a on ~tenant:a:*", "user tenant-b on ~*", "user x on ~*"],
        "command_info": [["hexpire", 4], None],
        "acl_cat_": ["get"],
        "acl_cat": ["string"],
        **change,
    }


def test_the_state_is_read_in_two_round_trips() -> None:
    node = Node(**answers())
    found = system.observe(node, NAMES)
    assert found.users == {"tenant-a": AclUser("tenant-a", True, keys=frozenset({"tenant:a:*"})), "tenant-b": AclUser("tenant-b")}
    assert "hexpire" in found.commands
    assert "hgetex" not in found.commands
    assert (found.unsaved, found.version) == (False, "7.0.15")
    assert ("COMMAND", "INFO", *ALLOWED_IF_KNOWN) in node.sent
    assert system.observe(Node(**answers(acl_list=[f"user {system.UNSAVED_MARK} off"])), NAMES).unsaved


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"info": "redis_version:6.2.14"}, r"needs? Redis 7\.0"),
        ({"info": "nothing"}, "version unknown"),
        ({"config_get": ["aclfile", ""]}, "set `aclfile`"),
        ({"config_get": []}, "set `aclfile`"),
        ({"acl_list": ["user default on nopass ~* &* +@all"]}, "`default` needs no password"),
        ({"acl_list": ["user tenant-a sometimes"]}, "not supported"),
        ({"acl_list": ReplyError("NOPERM no")}, "NOPERM"),
    ],
)
def test_a_node_that_cannot_hold_tenants_is_refused(change: dict[str, Reply], message: str) -> None:
    with pytest.raises(OpsError, match=message):
        system.observe(Node(**answers(**change)), NAMES)


PARAMS: dict[str, Any] = {
    "region": "us-east-1",
    "tenants": [],
    "declared_ids": None,
    "tiers": {},
    "secrets": {},
    "lease": None,
    "concurrency": 4,
    "timeout": 1,
    "connection": {"driver": "self_managed", "host": "127.0.0.1", "port": 1},
    "measure": False,
    "measure_keys": 10,
}


def test_no_tenants_ask_nothing_of_redis() -> None:
    answer = system.run(PARAMS, check_mode=False)
    assert (answer["changed"], answer["requests"]) == (False, 0)


def test_a_node_that_is_away_fails_the_call_as_unreachable() -> None:
    params = {**PARAMS, "tenants": [tenant().to_mapping()], "tiers": {"team": {"redis": {"memory_bytes": 1}}}}
    with pytest.raises(Unreachable):
        system.run(params, check_mode=True)
