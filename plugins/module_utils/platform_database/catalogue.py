# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of PostgreSQL's own catalogue tell one tenant about another, and who may see them instead of everybody.

By default every role may count every table's rows (pg_class, pg_stat_*), measure it, read the source of every function, see who is connected, and take
everybody's advisory locks. What remains open (names and structure of objects, which drivers look up) is listed in docs/isolation-postgresql.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .names import APPLICATION, MIGRATIONS, MONITOR, OWNER

if TYPE_CHECKING:
    import psycopg

READERS = (MONITOR, OWNER)
# Application and migrations may lock among themselves; a tenant could hold up, or watch, another one.
LOCKERS = (APPLICATION, MONITOR, MIGRATIONS, OWNER)

# Counters, activity, settings and definitions: closed as a whole.
CLOSED_RELATIONS = re.compile(
    r"pg_stat_(?!s$).*|pg_statio_.*|pg_locks|pg_prepared_xacts|pg_replication_slots|pg_user|pg_group|pg_auth_members|pg_db_role_setting|pg_views|pg_rules"
    r"|pg_matviews|pg_largeobject_metadata|pg_shdepend"
)
# table -> columns that tell too much; the others stay open, because clients look names up in them.
CLOSED_COLUMNS: Mapping[str, frozenset[str]] = {
    "pg_class": frozenset({"relpages", "reltuples", "relallvisible", "relfrozenxid", "relminmxid", "relfilenode"}),
    "pg_proc": frozenset({"prosrc", "probin", "prosqlbody", "proargdefaults", "proconfig"}),
    "pg_rewrite": frozenset({"ev_qual", "ev_action"}),
    "pg_roles": frozenset(
        {
            "rolsuper",
            "rolinherit",
            "rolcreaterole",
            "rolcreatedb",
            "rolcanlogin",
            "rolreplication",
            "rolconnlimit",
            "rolpassword",
            "rolvaliduntil",
            "rolbypassrls",
            "rolconfig",
        }
    ),
}
CLOSED_FUNCTIONS = re.compile(
    r"pg_stat_get_.*|pg_stat_have_stats|lo_.*|loread|lowrite|pg_(relation|table|total_relation|indexes|database|tablespace)_size|pg_lock_status"
    r"|pg_(safe_snapshot_)?blocking_pids|pg_prepared_xact|pg_get_replication_slots|pg_current_wal_.*|pg_control_.*|pg_notification_queue_usage"
    r"|pg_last_committed_xact|pg_logical_emit_message|pg_get_functiondef|pg_get_function_sqlbody|pg_get_function_arg_default"
)
LOCK_FUNCTIONS = re.compile(r"pg_(try_)?advisory_.*")

_RELATIONS = """
SELECT c.relname,
       (SELECT coalesce(jsonb_object_agg(attname, EXISTS (SELECT FROM aclexplode(attacl) a WHERE a.grantee = 0 AND a.privilege_type = 'SELECT')), '{}')
        FROM pg_attribute WHERE attrelid = c.oid AND (attnum > 0 OR attname = 'tableoid') AND NOT attisdropped),
       EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0 AND a.privilege_type = 'SELECT'),
       ARRAY(SELECT pg_get_userbyid(a.grantee) FROM aclexplode(c.relacl) a WHERE a.grantee <> 0 AND a.privilege_type = 'SELECT')
FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v') AND (c.relname ~ %(closed)s OR c.relname = ANY(%(limited)s))
"""
_FUNCTIONS = """
SELECT p.proname, pg_get_function_identity_arguments(p.oid),
       EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0),
       ARRAY(SELECT pg_get_userbyid(a.grantee) FROM aclexplode(p.proacl) a WHERE a.grantee <> 0)
FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (p.proname ~ %(closed)s OR p.proname ~ %(locks)s)
"""


@dataclass(frozen=True)
class Relation:
    """A relation of pg_catalog: its columns (name -> whether everybody may read it) and who may read all of it."""

    name: str
    columns: Mapping[str, bool]
    public: bool
    readers: frozenset[str]


@dataclass(frozen=True)
class Function:
    """A function of pg_catalog: its identity arguments, and who may call it."""

    name: str
    arguments: str
    public: bool
    callers: frozenset[str]


@dataclass(frozen=True)
class Opening:
    """One thing that is open (or not open to those who need it), and what it should be. ``columns``: those that everybody may go on reading."""

    kind: str  # relation | function
    name: str
    arguments: str
    revoke: bool
    columns: tuple[str, ...]
    grant: tuple[str, ...]

    @property
    def object(self) -> str:
        """How messages name it."""
        return f"pg_catalog.{self.name}" + (f"({self.arguments})" if self.kind == "function" else "")


def observe(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[list[Relation], list[Function]]:
    """Two queries."""
    limits = {"closed": _whole(CLOSED_RELATIONS), "limited": sorted(CLOSED_COLUMNS)}
    patterns = {"closed": _whole(CLOSED_FUNCTIONS), "locks": _whole(LOCK_FUNCTIONS)}
    relations = [
        Relation(name, dict(columns), public, frozenset(readers)) for name, columns, public, readers in connection.execute(_RELATIONS, limits).fetchall()
    ]
    functions = [
        Function(name, arguments, public, frozenset(callers)) for name, arguments, public, callers in connection.execute(_FUNCTIONS, patterns).fetchall()
    ]
    return relations, functions


def _whole(pattern: re.Pattern[str]) -> str:
    return f"^({pattern.pattern})$"


def openings(relations: Iterable[Relation], functions: Iterable[Function]) -> list[Opening]:
    """What must be closed, or opened to those who need it. Pure. Empty if the catalogue is as it should be."""
    found = []
    for relation in relations:
        hidden = CLOSED_COLUMNS.get(relation.name)
        if hidden is None and not CLOSED_RELATIONS.fullmatch(relation.name):
            continue
        kept = tuple(sorted(column for column in relation.columns if hidden is not None and column not in hidden))
        exposed = relation.public or any(public for column, public in relation.columns.items() if column not in kept)
        missing = any(not relation.columns[column] for column in kept)
        readers = tuple(reader for reader in READERS if reader not in relation.readers)
        if exposed or missing or readers:
            found.append(Opening("relation", relation.name, "", exposed, kept if exposed or missing else (), readers))
    for function in functions:
        locks = LOCK_FUNCTIONS.fullmatch(function.name)
        if locks or CLOSED_FUNCTIONS.fullmatch(function.name):
            callers = tuple(caller for caller in (LOCKERS if locks else READERS) if caller not in function.callers)
            if function.public or callers:
                found.append(Opening("function", function.name, function.arguments, function.public, (), callers))
    return found


def statements(opening: Opening) -> list[Any]:
    """The SQL that closes one opening. Needs a superuser."""
    from psycopg import sql

    name = sql.Identifier("pg_catalog", opening.name)
    roles = sql.SQL(", ").join(sql.Identifier(role) for role in opening.grant)
    if opening.kind == "function":
        # Argument types as pg_get_function_identity_arguments prints them, and as ON FUNCTION reads them.
        target = sql.SQL("{}({})").format(name, sql.SQL(opening.arguments))
        done = [sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(target)] if opening.revoke else []
        return done + ([sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(target, roles)] if opening.grant else [])
    done = [sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(name)] if opening.revoke else []
    if opening.columns:
        columns = sql.SQL(", ").join(sql.Identifier(column) for column in opening.columns)
        done.append(sql.SQL("GRANT SELECT ({}) ON {} TO PUBLIC").format(columns, name))
    return done + ([sql.SQL("GRANT SELECT ON {} TO {}").format(name, roles)] if opening.grant else [])
