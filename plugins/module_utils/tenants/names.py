# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ids, names and contacts are taken. Ids become names in every system, names and contacts are shown to people."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from .model import TENANT_ID

MAX_ID = 40
MAX_NAME = 100
CONTACTS = ("primary", "technical", "billing")

_RESERVED = (
    "admin administrator all control default information-schema internal leanvibe localhost monitoring neo4j ops platform postgres public redis root",
    "sandbox superuser system template template0 template1 tenant tenants",
    "none null true false yes no on off undefined unknown",
)
RESERVED_IDS = frozenset(word for line in _RESERVED for word in line.split())
RESERVED_PREFIXES = ("kube-", "pg-", "leanvibe-", "xn--")
# Amazon S3 keeps these for itself ("Bucket naming rules"): a bucket tenant-<id> could not be made.
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3")

# Names of people and companies need letters, digits and a little punctuation; what quotes, ends or nests something elsewhere is not among it.
_PUNCTUATION = frozenset(" .,'&()+-/:#@!\N{RIGHT SINGLE QUOTATION MARK}\N{EN DASH}")
_MIXED = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_CONTACT = re.compile(r"(?P<name>[^<>]+?) <(?P<address>[^<>\s]+)>")


def shown(text: Any, limit: int = 60) -> str:
    """A value as error messages may show it: on one line, ASCII only, cut."""
    plain = ascii(text)
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def _point(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"


def id_problems(tenant_id: Any) -> list[str]:
    """What is wrong with an id; empty if nothing."""
    if not isinstance(tenant_id, str):
        kind = {bool: "a boolean", int: "a number", float: "a number", type(None): "missing"}.get(type(tenant_id), f"a {type(tenant_id).__name__}")
        return [f"id is {kind}, not a text; quote it in YAML if that is really its id"]
    foreign = sorted({character for character in tenant_id if not character.isascii()})
    if foreign:
        named = ", ".join(_point(character) for character in foreign[:5])
        return [f"id contains {named}; only a-z, 0-9 and - are taken (letters of other scripts can look the same)"]
    problems = []
    if len(tenant_id) > MAX_ID:
        problems.append(f"id has {len(tenant_id)} characters, at most {MAX_ID}")
    elif not TENANT_ID.fullmatch(tenant_id):
        problems.append("id must begin with a-z, go on with a-z, 0-9 or -, and not end with -")
    if tenant_id in RESERVED_IDS:
        problems.append("id is reserved")
    problems += [f"id may not begin with {prefix} (reserved)" for prefix in RESERVED_PREFIXES if tenant_id.startswith(prefix)]
    problems += [f"id may not end with {suffix} (reserved by S3)" for suffix in RESERVED_SUFFIXES if tenant_id.endswith(suffix)]
    return problems


def collisions(ids: Sequence[Any]) -> list[str]:
    """Ids that are given twice, or become the same name once - and _ , case and compatibility forms are levelled."""
    groups: dict[str, list[str]] = defaultdict(list)
    for tenant_id in ids:
        if isinstance(tenant_id, str):
            groups[unicodedata.normalize("NFKC", tenant_id).casefold().strip().replace("_", "-")].append(tenant_id)
    problems = []
    for group in groups.values():
        for tenant_id in sorted(set(group)):
            if group.count(tenant_id) > 1:
                problems.append(f"tenant {shown(tenant_id)}: declared {group.count(tenant_id)} times")
        if len(set(group)) > 1:
            level = unicodedata.normalize("NFKC", group[0]).casefold().strip().replace("-", "_")
            problems.append(f"tenants {' and '.join(sorted(map(shown, set(group))))}: collide, both would be {shown('tenant_' + level)}")
    return problems


def _scripts(word: str) -> set[str]:
    return {script for character in word if character.isalpha() for script in _MIXED if unicodedata.name(character, "").startswith(script + " ")}


def text_problems(what: str, text: Any, limit: int = MAX_NAME) -> list[str]:
    """What is wrong with a name that people read; empty if nothing."""
    if not isinstance(text, str):
        return [f"{what} is missing" if text is None else f"{what} is {shown(text)}, not a text; quote it"]
    if not text.strip():
        return [f"{what} is empty"]
    if len(text) > limit:
        return [f"{what} has {len(text)} characters, at most {limit}"]
    problems = []
    if text != text.strip():
        problems.append(f"{what} begins or ends with white space")
    if text != unicodedata.normalize("NFC", text):
        problems.append(f"{what} is not in Unicode's composed form (NFC): {shown(text)}")
    wrong = sorted({character for character in text if unicodedata.category(character)[0] not in "LMN" and character not in _PUNCTUATION})
    if wrong:
        named = ", ".join(_point(character) for character in wrong[:5])
        problems.append(f"{what} contains {named}; letters, digits, spaces and {''.join(sorted(_PUNCTUATION)).strip()} are taken")
    elif not (text.strip()[0].isalnum() and ".." not in text and "--" not in text):
        problems.append(f"{what} must begin with a letter or digit and hold neither .. nor --: {shown(text)}")
    mixed = [word for word in text.split() if len(_scripts(word)) > 1]
    if mixed:
        problems.append(f"{what} mixes scripts inside a word, whose letters look the same: {', '.join(map(shown, mixed))}")
    return problems


def contact_problems(contacts: Any) -> list[str]:
    """What is wrong with a tenant's contacts; the primary one is required."""
    if not isinstance(contacts, Mapping):
        return ["contacts are missing" if contacts is None else f"contacts are {shown(contacts)}, not a mapping of {', '.join(CONTACTS)}"]
    problems = [f"contacts: {shown(kind)} is not known ({', '.join(CONTACTS)} are)" for kind in contacts if kind not in CONTACTS]
    if "primary" not in contacts:
        problems.append("contacts: primary is missing")
    for kind in CONTACTS:
        if kind not in contacts:
            continue
        value = contacts[kind]
        match = _CONTACT.fullmatch(value) if isinstance(value, str) else None
        if match is None or not _ADDRESS.fullmatch(match["address"]):
            problems.append(f"contacts: {kind} is {shown(value)}, not of the form Name <name@example.com>")
        else:
            problems += text_problems(f"contacts: name of {kind}", match["name"])
    return problems


def displayed(name: str) -> str:
    """A name as a terminal shows it: as it is if it is of one script, else with its foreign letters spelled out."""
    scripts = set().union(*(_scripts(word) for word in name.split())) if name else set()
    return name if len(scripts) <= 1 and name.isprintable() else ascii(name)
