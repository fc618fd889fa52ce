# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis ACL users in a form that can be compared. Pure: no I/O here.

Redis rewrites the rules that it is given (order, abbreviations), and so do its versions: rules are compared by what they mean, never as text.
Rules: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

_KEYS = re.compile(r"^(?:~|%(?P<how>[RW]{1,2})~)(?P<pattern>.*)$", re.DOTALL)


class Catalogue:
    """The commands that a server knows, by category, to tell what command rules amount to.

    Redis 7.0 describes a user's commands by categories and exceptions, whatever rules it was given; 7.2 keeps the rules. What is allowed is the same.
    Without categories (ElastiCache does not tell them) a rule for a category stands for itself.
    """

    def __init__(self, categories: Mapping[str, Iterable[str]]) -> None:
        listed = {name.lower(): frozenset(names) for name, names in categories.items()}
        every = frozenset[str]().union(*listed.values())
        self._below: dict[str, set[str]] = {}
        for name in every:
            if "|" in name:
                self._below.setdefault(name.split("|", 1)[0], set()).add(name)
        self._all = every - self._below.keys()
        self._categories = {name: names - self._below.keys() for name, names in listed.items()}
        self._known: dict[tuple[str, ...], frozenset[str]] = {}

    def allowed(self, rules: tuple[str, ...]) -> frozenset[str]:
        """What rules such as ``-@all +get +client|id`` allow: names of commands, and of subcommands where a command has them. Later rules win."""
        if rules not in self._known:
            allowed: set[str] = set()
            for rule in rules:
                self._follow(rule[0], rule[1:].lower(), allowed)
            self._known[rules] = frozenset(allowed)
        return self._known[rules]

    def _follow(self, sign: str, name: str, allowed: set[str]) -> None:
        if name == "@all":
            allowed.clear()
            if sign == "+":
                # The name itself stays, because a command of a module may be in no category.
                allowed |= self._all | {name}
            return
        names = self._categories.get(name[1:], {name}) if name.startswith("@") else self._below.get(name, {name})
        if sign == "+":
            allowed |= names
        else:
            allowed -= names
            if not name.startswith("@") and "|" not in name:
                allowed -= {other for other in allowed if other.startswith(name + "|")}


@dataclass(frozen=True)
class AclUser:
    """One ACL user. ``hashes`` are SHA-256 hashes of its passwords in hexadecimal and are not shown by ``repr``."""

    name: str
    enabled: bool = False
    nopass: bool = False
    hashes: frozenset[str] = field(default=frozenset(), repr=False)
    keys: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    sanitize: bool = True
    selectors: tuple[str, ...] = ()

    @property
    def open_to_anybody(self) -> bool:
        """Whether anybody may log in as this user without a password."""
        return self.enabled and self.nopass

    def with_rules(self, rules: Iterable[str], catalogue: Catalogue) -> AclUser:
        """The user after rules as ``ACL SETUSER`` takes them; command rules count from nothing.

        Raises ValueError on a rule that is not known (its text is not shown).
        """
        user, commands = self, []
        for rule in rules:
            if rule[:1] in "+-" and len(rule) > 1:
                commands.append(rule)
            elif rule in _COMMAND_WORDS:
                commands.append(_COMMAND_WORDS[rule])
            else:
                user = user._with_rule(rule)
        return replace(user, commands=catalogue.allowed(tuple(commands))) if commands else user

    def _with_rule(self, rule: str) -> AclUser:
        if rule in _WORDS:
            return replace(self, **_WORDS[rule])
        keys = _KEYS.match(rule)
        if keys:
            how = "".join(sorted(set(keys["how"] or "RW")))
            return replace(self, keys=self.keys | {keys["pattern"] if how == "RW" else f"%{how}~{keys['pattern']}"})
        if rule[:1] == "#":
            return replace(self, hashes=self.hashes | {rule[1:]}, nopass=False)
        if rule[:1] == "&":
            return replace(self, channels=self.channels | {rule[1:]})
        if rule[:1] == "(":
            return replace(self, selectors=(*self.selectors, rule))
        raise ValueError(f"ACL user {self.name}: a rule of {len(rule)} characters that begins with {rule[:1]!r} is not known")


_ANY = frozenset({"*"})
_NONE: frozenset[str] = frozenset()
_WORDS: dict[str, dict[str, Any]] = {
    "on": {"enabled": True},
    "off": {"enabled": False},
    "nopass": {"nopass": True, "hashes": _NONE},
    "resetpass": {"nopass": False, "hashes": _NONE},
    "allkeys": {"keys": _ANY},
    "resetkeys": {"keys": _NONE},
    "allchannels": {"channels": _ANY},
    "resetchannels": {"channels": _NONE},
    "sanitize-payload": {"sanitize": True},
    "skip-sanitize-payload": {"sanitize": False},
    "clearselectors": {"selectors": ()},
    "reset": {
        "enabled": False,
        "nopass": False,
        "hashes": _NONE,
        "keys": _NONE,
        "channels": _NONE,
        "commands": _NONE,
        "sanitize": True,
        "selectors": (),
    },
}
_COMMAND_WORDS = {"allcommands": "+@all", "nocommands": "-@all"}


def parse_line(line: str, catalogue: Catalogue) -> AclUser:
    """Read one line of ``ACL LIST``: ``user NAME rule rule …``. Raises ValueError if it is not such a line."""
    words = line.split()
    if len(words) < 2 or words[0] != "user":
        raise ValueError("this is not a line of ACL LIST")
    return AclUser(words[1]).with_rules(_rules(words[2:]), catalogue)


def parse_access_string(name: str, text: str) -> AclUser:
    """Read rules as ElastiCache shows them (``AccessString``)."""
    return AclUser(name).with_rules(_rules(text.split()), Catalogue({}))


def _rules(words: Sequence[str]) -> Iterable[str]:
    """Words, with the words of a selector ``( … )`` put together again."""
    selector: list[str] = []
    for word in words:
        if selector or word.startswith("("):
            selector.append(word)
            if word.endswith(")"):
                yield " ".join(selector)
                selector = []
        else:
            yield word


def password_hash(password: str) -> str:
    """What Redis keeps of a password: SHA-256 in hexadecimal."""
    return hashlib.sha256(password.encode()).hexdigest()


def pattern_rules(prefix: str) -> tuple[str, ...]:
    """Rules for keys and channels that start with ``prefix``. An id holds no character that is special in a pattern."""
    return ("resetkeys", f"~{prefix}*", "resetchannels", f"&{prefix}*")


def command_rules(commands: Sequence[str]) -> tuple[str, ...]:
    """Rules that allow these commands and no other."""
    return ("-@all", *(f"+{command}" for command in commands))
