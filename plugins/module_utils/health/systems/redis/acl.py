# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users: the same on every node, and saved. They do not replicate, so after a failover a node knows only its own.

What a tenant's user may do is the tenants operation's to judge. Users are compared by what their rules mean (tenants/systems/redis_acl.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ....common.errors import AccessDenied
from ....reports.model import CRITICAL, DEGRADED, OK
from ....tenants.systems.redis import UNSAVED_MARK, USER_PREFIX
from ....tenants.systems.redis_acl import AclUser, Catalogue, parse_line, password_hash
from ...comparisons import finding
from ...model import Check, Comparison, Finding, NoData, NotApplicable, Session, Side
from .node import SYSTEM, Node, grant

ELSEWHERE = "ElastiCache keeps its users in AWS, for all nodes of a replication group"
_SHOWN = 10


def users_of(lines: Iterable[str], catalogue: Catalogue) -> dict[str, AclUser]:
    """Users by name, from lines of ACL LIST or of an ACL file. Raises NoData if a line cannot be read; no line is shown."""
    users = {}
    for line in lines:
        # Only a file that was written by hand holds passwords in clear.
        words = [f"#{password_hash(word[1:])}" if word.startswith(">") else word for word in line.split()]
        if not words:
            continue
        try:
            user = parse_line(" ".join(words), catalogue)
        except ValueError as error:
            raise NoData(str(error)) from error
        users[user.name] = user
    if "default" not in users:
        users["default"] = parse_line("user default on nopass ~* &* +@all", catalogue)
    return users


def _read(node: Node) -> tuple[dict[str, AclUser], Catalogue]:
    listed, groups = node.calls([("ACL", "LIST"), ("ACL", "CAT")])
    if not isinstance(listed, list) or not isinstance(groups, list) or not listed or not groups:
        raise NoData("ACL LIST or ACL CAT was answered with nothing")
    names = [str(name) for name in groups]
    members = node.calls([("ACL", "CAT", name) for name in names])
    catalogue = Catalogue({name: [str(one) for one in reply] for name, reply in zip(names, members, strict=True) if isinstance(reply, list)})
    return users_of((str(line) for line in listed), catalogue), catalogue


def users(session: Session[Node]) -> tuple[dict[str, AclUser], Catalogue]:
    """The node's users, and its catalogue of commands: two round trips in a run."""
    return session.once("acl", _read)


def fingerprints(found: Mapping[str, AclUser]) -> dict[str, str]:
    """What tells that a user differs, and nothing else: 24 bits of a hash cannot be used to find a password, and are the same by chance once in 16 million."""
    commands: dict[frozenset[str], str] = {}
    result = {}
    for name, user in found.items():
        if user.commands not in commands:
            commands[user.commands] = " ".join(sorted(user.commands))
        parts = (user.hashes, user.keys, user.channels, frozenset(user.selectors))
        text = "\n".join((str((user.enabled, user.nopass, user.sanitize)), *(" ".join(sorted(part)) for part in parts), commands[user.commands]))
        result[name] = hashlib.sha256(text.encode()).hexdigest()[:6]
    return result


def tenants_of(names: Iterable[str]) -> list[str]:
    """Ids of the tenants that users belong to."""
    return sorted(name.removeprefix(USER_PREFIX) for name in names if name.startswith(USER_PREFIX))


def some(names: Sequence[str]) -> str:
    """The first of many names, for a message."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _users(session: Session[Node]) -> Iterator[Finding]:
    if session.client.managed:
        session.facts["acl"] = {"elsewhere": ELSEWHERE}
        raise NotApplicable(ELSEWHERE)
    known = users(session)[0]
    own = set(session.options.get("acl_local_users", ()))
    per_node = not session.options.get("acl_tenants_everywhere", True)
    compared = {name: user for name, user in known.items() if name not in own and name != UNSAVED_MARK and not (per_node and name.startswith(USER_PREFIX))}
    session.facts["acl"] = {"users": fingerprints(compared)}
    # What user default lets a stranger do is seen by trying (redis.authentication).
    open_to_all = sorted(name for name, user in known.items() if user.open_to_anybody and name != "default")
    if open_to_all:
        yield Finding(
            observed=len(open_to_all),
            verdict=CRITICAL,
            tenants=tenants_of(open_to_all),
            message=f"anybody may log in without a password as {some(open_to_all)}",
        )
        return
    yield Finding(observed=0, verdict=OK, message=f"none of {len(known)} users is let in without a password")


def _saved(session: Session[Node]) -> Iterator[Finding]:
    if session.client.managed:
        raise NotApplicable(ELSEWHERE)
    known, catalogue = users(session)
    if UNSAVED_MARK in known:
        message = "an operation on tenants changed users and could not write the ACL file: after a restart their old state is back"
        yield Finding(observed="unsaved", verdict=DEGRADED, message=message)
        return
    path = session.options.get("acl_file")
    if not path:
        raise NotApplicable("the ACL file cannot be read through Redis, and the inventory names no path to it (health option acl_file)")
    try:
        text = Path(str(path)).read_text(encoding="utf-8")
    except PermissionError as error:
        raise AccessDenied(f"{path} cannot be read: {error.strerror}; the account that runs the checks needs the right to read it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise NoData(f"{path} cannot be read: {error}") from error
    kept, now = fingerprints(users_of(text.splitlines(), catalogue)), fingerprints(known)
    differing = sorted(name for name in kept.keys() | now.keys() if kept.get(name) != now.get(name))
    if not differing:
        yield Finding(observed=0, verdict=OK, message=f"all {len(now)} users are in the ACL file as they are in memory")
        return
    message = f"after a restart {some(differing)} would be other than now, or gone"
    yield Finding(observed=len(differing), verdict=DEGRADED, tenants=tenants_of(differing), message=message)


def _difference(first: Side, side: Side) -> Iterator[Finding]:
    here, there = first.fact["users"], side.fact["users"]
    missing, more = sorted(here.keys() - there.keys()), sorted(there.keys() - here.keys())
    other = sorted(name for name in here.keys() & there.keys() if here[name] != there[name])
    differing = [*missing, *more, *other]
    if not differing:
        yield finding(side, observed=0, verdict=OK, message=f"all {len(here)} users are as in {first.region}")
        return
    parts = ((f"{some(missing)} missing", missing), (f"{some(more)} only here", more), (f"{some(other)} with other rules or another password", other))
    message = f"compared with {first.region}: {'; '.join(text for text, names in parts if names)}"
    yield finding(side, observed=len(differing), verdict=DEGRADED, tenants=tenants_of(differing), message=message)


def _parity(sides: Sequence[Side]) -> Iterator[Finding]:
    elsewhere = [side for side in sides if "elsewhere" in side.fact]
    if elsewhere:
        raise NotApplicable(elsewhere[0].fact["elsewhere"])
    for side in sides[1:]:
        yield from _difference(sides[0], side)


USERS = Check(
    id="redis.users",
    question="Is there no user that needs no password?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass ACL LIST (nopass with on)",
    runbook="runbooks/redis.md#users",
    grants=grant("acl|list", "acl|cat"),
    run=_users,
)

SAVED = Check(
    id="redis.acl_saved",
    question="Would all users be the same after a restart?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass ACL LIST; cat the file that aclfile names",
    runbook="runbooks/redis.md#acl_saved",
    grants=(*grant("acl|list", "acl|cat"), "read the ACL file (health option acl_file)"),
    run=_saved,
)

PARITY = Comparison(
    id="redis.acl_parity",
    question="Are the users of all nodes the same?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass ACL LIST | sort | sha256sum, on each node",
    runbook="runbooks/redis.md#acl_parity",
    fact="acl",
    told_by="redis.users",
    compare=_parity,
)
