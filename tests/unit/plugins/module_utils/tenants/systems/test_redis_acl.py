# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis ACL rules mean the same however they are written."""

from __future__ import annotations

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.redis_acl import (
    AclUser,
    Catalogue,
    command_rules,
    parse_access_string,
    parse_line,
    password_hash,
    pattern_rules,
)
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.redis_rights import ALLOWED, ALLOWED_IF_KNOWN, REFUSED, allowed_commands

CATALOGUE = Catalogue(
    {
        "string": ["get", "set", "append"],
        "keyspace": ["scan", "del", "object|encoding", "object|help"],
        "connection": ["client|id", "client|list", "client", "ping"],
    }
)
SAME = [
    (("-@all", "+get", "+set"), ("-@all", "+set", "+get", "+get")),
    (("-@all", "+get", "+set"), ("-@all", "+@string", "-append")),
    (("-@all", "+get"), ("+@all", "-@all", "+get")),
    (("-@all", "+GET"), ("-@all", "+get")),
    (("-@all", "+client"), ("-@all", "+client|id", "+client|list")),
    (("-@all", "+client|id"), ("-@all", "+client", "-client|list")),
    (("-@all", "+client|id"), ("-@all", "+@connection", "-ping", "-client|list")),
    (("-@all", "+get", "+set", "-set"), ("-@all", "+get")),
    (("-@all", "+object|encoding"), ("-@all", "+@keyspace", "-scan", "-del", "-object|help")),
    (("-@all", "+select|0", "+get"), ("-@all", "+get", "-select", "+select|0")),
]
DIFFERENT = [
    (("-@all", "+get"), ("-@all", "+set")),
    (("-@all", "+get"), ("+@all",)),
    (("-@all", "+get", "+set", "+append"), ("-@all", "+get", "+set")),
    (("-@all", "+client|id"), ("-@all", "+client")),
    (("-@all", "+select|0"), ("-@all", "+select")),
    (("-@all", "+select|0"), ("-@all",)),
    (("-@all", "+get"), ("-@all", "+get", "+module.command")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_rights_are_equal(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert CATALOGUE.allowed(one) == CATALOGUE.allowed(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_rights_are_not_equal(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert CATALOGUE.allowed(one) != CATALOGUE.allowed(other)


def test_all_commands_are_more_than_any_list() -> None:
    everything = CATALOGUE.allowed(("-@all", "+@string", "+@keyspace", "+@connection"))
    assert everything < CATALOGUE.allowed(("+@all",))


def test_a_line_of_acl_list_is_read() -> None:
    user = parse_line("user tenant-a on sanitize-payload #aa #bb ~tenant:a:* %R~x resetchannels &tenant:a:* -@all +get (~y -@all +set) (~z)", CATALOGUE)
    assert user == AclUser(
        "tenant-a",
        enabled=True,
        hashes=frozenset({"aa", "bb"}),
        keys=frozenset({"tenant:a:*", "%R~x"}),
        channels=frozenset({"tenant:a:*"}),
        commands=frozenset({"get"}),
        selectors=("(~y -@all +set)", "(~z)"),
    )
    assert "aa" not in repr(user)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("user x off ~* &* +@all", "user x allcommands allkeys allchannels"),
        ("user x on #aa ~a", "user x ~a on #aa resetchannels -@all sanitize-payload"),
        ("user x %RW~a", "user x ~a"),
        ("user x nopass #aa", "user x #aa"),
        ("user x on ~a #aa reset", "user x"),
    ],
)
def test_lines_that_mean_the_same_are_equal(one: str, other: str) -> None:
    assert parse_line(one, CATALOGUE) == parse_line(other, CATALOGUE)


PARTS = ["user x on", "user x nopass", "user x skip-sanitize-payload", "user x ~a", "user x &a", "user x +get", "user x #aa", "user x (~a)"]


@pytest.mark.parametrize("line", PARTS)
def test_every_part_of_a_user_counts(line: str) -> None:
    assert parse_line(line, CATALOGUE) != parse_line("user x", CATALOGUE)


def test_only_who_is_on_and_needs_no_password_is_open() -> None:
    assert parse_line("user default on nopass ~*", CATALOGUE).open_to_anybody
    assert not parse_line("user default off nopass ~*", CATALOGUE).open_to_anybody
    assert not parse_line("user default on #aa ~*", CATALOGUE).open_to_anybody


@pytest.mark.parametrize("line", ["user", "nobody x on", "user x whatever"])
def test_what_is_not_known_is_an_error_that_shows_nothing(line: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_line(line, CATALOGUE)
    assert "whatever" not in str(error.value)


def test_rules_of_a_tenant_read_back_as_they_are() -> None:
    rules = ("on", *pattern_rules("tenant:a:"), *command_rules(["get", "client|id"]), f"#{password_hash('x')}")
    user = AclUser("tenant-a").with_rules(rules, CATALOGUE)
    assert (user.keys, user.channels) == (frozenset({"tenant:a:*"}), frozenset({"tenant:a:*"}))
    assert user.commands == {"get", "client|id"}
    assert user.hashes == {"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
    assert parse_access_string("tenant-a", " ".join(rules)) == user


def test_the_table_of_commands_holds_nothing_that_is_refused() -> None:
    allowed = set(allowed_commands(frozenset(ALLOWED_IF_KNOWN)))
    assert not allowed & set(REFUSED)
    assert not {name.split("|")[0] for name in REFUSED if "|" not in name} & {name for name in allowed if "|" not in name}
    assert all(not name.startswith("@") for name in allowed)
    names = [name for group in ALLOWED.values() for name in group.split()]
    assert len(names) == len(set(names))


def test_newer_commands_are_allowed_only_where_they_are_known() -> None:
    assert "hexpire" not in allowed_commands(frozenset())
    assert "hexpire" in allowed_commands(frozenset({"hexpire"}))
    assert "flushall" not in allowed_commands(frozenset({"flushall"}))
