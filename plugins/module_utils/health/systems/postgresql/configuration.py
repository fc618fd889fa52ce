# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: those that wait for a restart, and those in which a standby differs from its primary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import LiteralString

from ....reports.model import CRITICAL, DEGRADED, OK
from ...comparisons import finding
from ...model import Check, Comparison, Finding, NotApplicable, Session, Side
from ...reading import reviewed
from .server import MONITOR, RUNBOOK, Row, Server, settings, state

# PostgreSQL, "Hot Standby", administrator's overview: a standby whose value is lower cannot replay, or does not start.
AT_LEAST = ("max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction")
# What is a server's own, by its nature.
OWN = frozenset(
    {
        "archive_cleanup_command",
        "archive_command",
        "archive_library",
        "bonjour_name",
        "cluster_name",
        "event_source",
        "in_hot_standby",
        "listen_addresses",
        "port",
        "primary_conninfo",
        "primary_slot_name",
        "promote_trigger_file",
        "recovery_end_command",
        "restore_command",
        "synchronous_standby_names",
        "transaction_read_only",
    }
)
# File names and commands are each server's own, and may hold secrets: they do not leave it.
_OWN_KIND = re.compile(
    r".*(_command|_conninfo|_file|_directory|_directories|_path|password.*)|recovery_target.*|krb_.*|ldap.*"
    r"|ssl_(c[ar].*|key.*|crl.*|dh.*|passphrase.*)|unix_socket_.*|log_(directory|filename)"
)
_OURS = ("client", "session", "user", "database user")

_PENDING: LiteralString = "SELECT name, setting FROM pg_settings WHERE pending_restart"
_SETTINGS: LiteralString = "SELECT name, setting, unit FROM pg_settings ORDER BY name"


def compared(rows: Mapping[str, Row]) -> dict[str, str]:
    """What of a server's settings is compared: neither its own, nor extensions', nor what our session has set. Pure."""
    return {
        name: f"{row['setting']} {row['unit'] or ''}".strip()
        for name, row in sorted(rows.items())
        if name not in OWN and not _OWN_KIND.fullmatch(name) and "." not in name and row["source"] not in _OURS
    }


def _pending(session: Session[Server]) -> list[Finding]:
    rows = settings(session)
    session.facts["settings"] = {"recovering": bool(state(session)["recovering"]), "values": compared(rows)}
    found = [
        Finding(
            verdict=DEGRADED,
            name=name,
            message=f"was changed, and counts from the next restart on; until then it is {row['setting'] if not _OWN_KIND.fullmatch(name) else 'as it was'}",
        )
        for name, row in sorted(rows.items())
        if row["pending_restart"]
    ]
    return reviewed(found, len(rows), "settings")


def _too_low(name: str, primary: str, standby: str) -> bool:
    try:
        return name in AT_LEAST and int(standby) < int(primary)
    except ValueError:
        return False


def _compare(sides: Sequence[Side]) -> Iterator[Finding]:
    primaries = [side for side in sides if not side.fact["recovering"]]
    standbys = [side for side in sides if side.fact["recovering"]]
    if len(primaries) != 1 or not standbys:
        raise NotApplicable("there is no one primary with a standby (see postgresql.one_primary)")
    primary = primaries[0]
    wanted = primary.fact["values"]
    for side in standbys:
        values = side.fact["values"]
        # A version may have settings that another lacks; server_version says so itself.
        different = [name for name in wanted if name in values and values[name] != wanted[name]]
        for name in different:
            both = f"{wanted[name]} in {primary.region}, {values[name]} here"
            if _too_low(name, wanted[name], values[name]):
                yield finding(
                    side, verdict=CRITICAL, name=name, message=f"{both}: a standby with less than its primary stops replaying, and does not start again"
                )
            else:
                yield finding(side, verdict=DEGRADED, name=name, message=f"{both}: after a failover the database would behave differently")
        if not different:
            yield finding(side, verdict=OK, observed=len(wanted), unit="settings", message=f"all {len(wanted)} settings that should agree do")


PENDING: Check[Server] = Check(
    id="postgresql.pending_restart",
    question="Are there settings that wait for a restart?",
    system="postgresql",
    query=_PENDING,
    runbook=f"{RUNBOOK}#pending_restart",
    grants=MONITOR,
    run=_pending,
)
SETTINGS = Comparison(
    id="postgresql.settings",
    question="Do primary and standby have the same settings, where they must or should?",
    system="postgresql",
    query=_SETTINGS,
    runbook=f"{RUNBOOK}#settings",
    fact="settings",
    told_by="postgresql.pending_restart",
    compare=_compare,
)
