# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values an inventory still owes, over all hosts at once. Pure: evaluating a value is the caller's."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..common.errors import InvalidInput, OpsError

OURS = "leanvibe_ops_"
#: Described in the inventories, never evaluated as connection data.
NOT_WALKED = ("leanvibe_ops_required",)
_UNSET = "It is not set"


class UndefinedValueError(OpsError):
    """A value refers to something that nobody has set; the message is the hint."""


class UnreadableValueError(OpsError):
    """A value could not be looked up (a file, a Vault server …); the message says why, without the value."""


@dataclass(frozen=True)
class Requirement:
    """A value that only the owner of an environment knows.

    ``name`` is a variable or a path in one (``leanvibe_ops_postgresql.host``), ``what`` says what it is, ``where`` where to set it.
    It binds the hosts whose ``leanvibe_ops_system`` is in ``systems`` (empty: every host). With ``purposes`` it binds only runs for one of
    them: the password of a superuser is not for every day.
    """

    name: str
    what: str
    where: str
    systems: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()

    def binds(self, system: str) -> bool:
        """Whether a host of that system needs the value."""
        return not self.systems or system in self.systems

    def serves(self, purposes: Collection[str]) -> bool:
        """Whether a run for these purposes needs the value."""
        return not self.purposes or not set(self.purposes).isdisjoint(purposes)


@dataclass(frozen=True)
class HostView:
    """The variables of one host as they are written, and how to evaluate one (raises UndefinedValueError or UnreadableValueError)."""

    name: str
    raw: Mapping[str, Any]
    evaluate: Callable[[Any], Any]


@dataclass
class Gap:
    """A value that is missing or cannot be read, with the hosts that need it. ``name`` is a path, ``reason`` free of secrets."""

    name: str
    reason: str
    declared: Requirement | None = None
    hosts: list[str] = field(default_factory=list)

    def describe(self, everybody: int) -> str:
        """One line for the operator; ``everybody`` is the number of all hosts, which are then not listed."""
        hosts = "all hosts" if len(self.hosts) == everybody else ", ".join(self.hosts)
        if self.declared is None:
            return f"{self.name}: {self.reason}. Needed by {hosts}"
        # That an undeclared name was meant says less than where to set it.
        reason = "" if self.reason.startswith(_UNSET) else f" {self.reason}."
        return f"{self.name}: {self.declared.what}.{reason} To set it: {self.declared.where}. Needed by {hosts}"


def read_requirements(data: Any) -> list[Requirement]:
    """The inventory's ``leanvibe_ops_required``. Raises InvalidInput naming every entry that is malformed."""
    problems: list[str] = []
    requirements: list[Requirement] = []
    if not isinstance(data, Sequence) or isinstance(data, (str, bytes)):
        raise InvalidInput("leanvibe_ops_required", ["it is a list of {name, what, where, systems, purposes}"])
    for number, entry in enumerate(data):
        if not isinstance(entry, Mapping) or not all(isinstance(entry.get(key), str) and entry[key] for key in ("name", "what", "where")):
            problems.append(f"entry {number} needs name, what and where as text")
            continue
        unknown = sorted(set(entry) - {"name", "what", "where", "systems", "purposes"})
        if unknown:
            problems.append(f"entry {entry['name']} has unknown keys: {', '.join(unknown)}")
        systems, purposes = (tuple(entry.get(key) or ()) for key in ("systems", "purposes"))
        requirements.append(Requirement(entry["name"], entry["what"], entry["where"], systems, purposes))
    if problems:
        raise InvalidInput("leanvibe_ops_required", problems)
    return requirements


def gaps(hosts: Iterable[HostView], requirements: Sequence[Requirement], purposes: Collection[str] = ()) -> list[Gap]:
    """Everything that is missing: what is declared as required first, then every other value of ours that cannot be evaluated.

    Of the others each host's connection variables are evaluated, and on the first host all: what they share needs one look only.
    A value that cannot be evaluated only because a declared one is missing is left out: setting that one mends it.
    What serves none of the run's ``purposes`` is not evaluated at all, nor is what refers to it.
    """
    views = list(hosts)
    declared = {requirement.name: requirement.serves(purposes) for requirement in requirements}
    owed: dict[tuple[str, str], Gap] = {}
    for host in views:
        for requirement in requirements:
            bound = declared[requirement.name] and requirement.binds(str(host.raw.get("leanvibe_ops_system", "")))
            reason = _lack(host, requirement.name) if bound else None
            if reason is not None:
                owed.setdefault((requirement.name, reason), Gap(requirement.name, reason, requirement)).hosts.append(host.name)
    others: dict[str, dict[str, set[str]]] = {}
    for number, host in enumerate(views):
        for path, reason in _walk_ours(host, declared, shared=number == 0):
            if not any(reason == known.reason or re.search(rf"\b{re.escape(known.name)}\b", reason) for known in owed.values()):
                others.setdefault(reason, {}).setdefault(path, set()).add(host.name)
    return [*sorted(owed.values(), key=_order), *sorted((_one_cause(reason, where) for reason, where in others.items()), key=_order)]


def refuse(environment: str, missing: Sequence[Gap], everybody: int) -> None:
    """Raises InvalidInput with every gap in one message; returns when there is none. ``everybody``: the number of hosts looked at."""
    if missing:
        raise InvalidInput(f"inventory of environment {environment} is incomplete", [gap.describe(everybody) for gap in missing])


def _lack(host: HostView, path: str) -> str | None:
    """Why the value at that path cannot be used; None when it can."""
    first, *rest = path.split(".")
    if first not in host.raw:
        return _UNSET
    try:
        value = host.raw[first]
        for key in rest:
            value = value if _is_container(value) else host.evaluate(value)
            if not isinstance(value, Mapping) or key not in value:
                return _UNSET
            value = value[key]
        # A container is there when it is written: its parts are walked, or (the tenants) validated, elsewhere.
        value = value if _is_container(value) else host.evaluate(value)
    except UndefinedValueError as hint:
        return f"{_UNSET} ({hint})"
    except UnreadableValueError as error:
        return f"It could not be read ({error})"
    return "It is empty" if value is None or value == "" else None


def _one_cause(reason: str, where: Mapping[str, set[str]]) -> Gap:
    """One gap for all values that fail for the same reason."""
    return Gap(", ".join(sorted(where)), reason, hosts=sorted(set().union(*where.values())))


def _order(gap: Gap) -> tuple[str, str]:
    return gap.name, gap.reason


def _is_container(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))


def _walk_ours(host: HostView, declared: Mapping[str, bool], *, shared: bool) -> Iterator[tuple[str, str]]:
    """A host's own connection variables; with ``shared`` also what all hosts have in common, which is looked at on one of them only."""
    own = f"{OURS}{host.raw.get('leanvibe_ops_system', '')}"
    for name, value in host.raw.items():
        ours = name.startswith(OURS) if shared else name == own or name.startswith(f"{own}_")
        if ours and name not in declared and name not in NOT_WALKED:
            yield from _walk(host, name, value, declared)


def _walk(host: HostView, path: str, value: Any, declared: Mapping[str, bool]) -> Iterator[tuple[str, str]]:
    if path in declared:
        return
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _walk(host, f"{path}.{key}", part, declared)
    elif _is_container(value):
        for number, part in enumerate(value):
            yield from _walk(host, f"{path}[{number}]", part, declared)
    elif not (isinstance(value, str) and any(name in value for name, serves in declared.items() if not serves)):
        try:
            host.evaluate(value)
        except UndefinedValueError as hint:
            yield path, f"{_UNSET} ({hint})"
        except UnreadableValueError as error:
            yield path, f"It could not be read ({error})"
