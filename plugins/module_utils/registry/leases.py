# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking and giving back leases on tenants: all that a run needs or none, under one fencing token from a sequence.

A lease ends when it is released, when it was not renewed in time (by the database's clock), or at once when its run and all the run's workers were
on this machine and are provably gone. Deleting the holder is what ends it: whoever still works under its token finds no row to renew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..common.errors import Conflict, LeaseLost
from ..common.processes import ProcessIdentity, provably_gone

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[tuple[Any, ...]]

DEFAULT_TTL_SECONDS = 60
POLL_SECONDS = 0.5
_SHOWN = 10
# Any number that nothing else in this database locks.
_TAKING = 7229384610

_SERIALISE = "SELECT pg_advisory_xact_lock(%s)"
_LOCK_HOLDERS = "SELECT token FROM lease_holders WHERE token IN (SELECT token FROM leases WHERE name = ANY(%s)) ORDER BY token FOR UPDATE"
_HOLDERS = """
SELECT token, owner, operation, run_id, host, place, pid, started,
    to_char(taken_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), to_char(expires_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), expires_at <= clock_timestamp(),
    ARRAY(SELECT name FROM leases WHERE leases.token = lease_holders.token AND name = ANY(%(names)s) ORDER BY name),
    ARRAY(SELECT jsonb_build_array(host, place, pid, started) FROM lease_workers WHERE lease_workers.token = lease_holders.token)
FROM lease_holders WHERE token = ANY(%(tokens)s) ORDER BY token
"""
_END = "DELETE FROM lease_holders WHERE token = ANY(%s)"
_HOLD = """
INSERT INTO lease_holders (owner, operation, run_id, host, place, pid, started, ttl, expires_at)
VALUES (%(owner)s, %(operation)s, %(run_id)s, %(host)s, %(place)s, %(pid)s, %(started)s,
    make_interval(secs => %(ttl)s), clock_timestamp() + make_interval(secs => %(ttl)s))
RETURNING token, to_char(expires_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
"""
_TAKE = "INSERT INTO leases (name, token) SELECT unnest(%s::text[]), %s"
_WORKERS = "SELECT host, place, pid, started FROM lease_workers WHERE token = %s"
_LOCK_ONE = "SELECT token FROM lease_holders WHERE token = %s FOR UPDATE"
_FENCE = "UPDATE lease_holders SET heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + ttl WHERE token = %s RETURNING token"


@dataclass(frozen=True)
class Claim:
    """Who wants to work on what. ``process`` is the run's own process, or None if it cannot be told."""

    names: Sequence[str]
    owner: str
    operation: str
    run_id: str
    process: ProcessIdentity | None = None
    ttl: int = DEFAULT_TTL_SECONDS


@dataclass(frozen=True)
class Holder:
    """Who holds leases that somebody else wants. Times are the database's, as text in UTC."""

    token: int
    owner: str
    operation: str
    run_id: str
    process: ProcessIdentity
    since: str
    until: str
    expired: bool
    names: tuple[str, ...] = ()
    workers: tuple[ProcessIdentity, ...] = field(default_factory=tuple)

    def over(self, gone: Callable[[ProcessIdentity], bool]) -> bool:
        """Whether the lease has ended: expired, or everybody who works under it is provably gone."""
        return self.expired or all(gone(process) for process in (self.process, *self.workers))

    def describe(self) -> str:
        """One sentence for the operator who is refused."""
        shown = ", ".join(self.names[:_SHOWN]) + (f" and {len(self.names) - _SHOWN} more" if len(self.names) > _SHOWN else "")
        return f"{shown}: held by {self.owner} (operation {self.operation}, run {self.run_id}) since {self.since}, until {self.until} unless renewed"


def _holders(session: Session, names: Sequence[str]) -> list[Holder]:
    tokens = [row[0] for row in session.execute(_LOCK_HOLDERS, (list(names),)).fetchall()]
    if not tokens:
        return []
    rows = session.execute(_HOLDERS, {"names": list(names), "tokens": tokens}).fetchall()
    return [
        Holder(
            token=row[0],
            owner=row[1],
            operation=row[2],
            run_id=row[3],
            process=ProcessIdentity(*row[4:8]),
            since=row[8],
            until=row[9],
            expired=row[10],
            names=tuple(row[11]),
            workers=tuple(ProcessIdentity(*worker) for worker in row[12]),
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Taken:
    """Leases that are ours now; ``instead_of`` are the owners whose leases had ended without being released."""

    token: int
    until: str
    instead_of: tuple[str, ...] = ()


def take(session: Session, claim: Claim, gone: Callable[[ProcessIdentity], bool] = provably_gone) -> Taken:
    """Take all leases of the claim, or none. Raises Conflict naming who holds which since when and until when."""
    names = sorted(set(claim.names))
    process = claim.process or ProcessIdentity("", "", 0, 0)
    with session.transaction():
        session.execute(_SERIALISE, (_TAKING,))
        found = _holders(session, names)
        standing = [holder for holder in found if not holder.over(gone)]
        if standing:
            lines = "\n".join(f"- {holder.describe()}" for holder in standing)
            raise Conflict(
                f"Somebody else works on {sum(len(holder.names) for holder in standing)} of the selected tenants; nothing was changed:\n{lines}\n"
                "Wait until that run has ended (tenants_lock_wait=<seconds> waits for it), or select other tenants.",
                holders=[
                    {"owner": holder.owner, "operation": holder.operation, "run_id": holder.run_id, "since": holder.since, "until": holder.until}
                    | {"leases": list(holder.names)}
                    for holder in standing
                ],
            )
        if found:
            session.execute(_END, ([holder.token for holder in found],))
        row = session.execute(
            _HOLD,
            {"owner": claim.owner, "operation": claim.operation, "run_id": claim.run_id, "ttl": claim.ttl}
            | {"host": process.host, "place": process.place, "pid": process.pid, "started": process.started},
        ).fetchone()
        if row is None:
            raise Conflict("The registry returned no token for the new lease; nothing was changed. Run it again.")
        session.execute(_TAKE, (names, row[0]))
    return Taken(token=row[0], until=row[1], instead_of=tuple(f"{holder.owner} (run {holder.run_id})" for holder in found))


def take_within(session: Session, claim: Claim, wait: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> Taken:
    """Like ``take``, but try again until ``wait`` seconds have passed. Raises the last Conflict."""
    deadline = clock() + wait
    while True:
        try:
            return take(session, claim)
        except Conflict:
            left = deadline - clock()
            if left <= 0:
                raise
            sleep(min(POLL_SECONDS, left))


def release(session: Session, token: int, gone: Callable[[ProcessIdentity], bool] = provably_gone) -> bool:
    """Give the leases of a token back; False if there was nothing to give back any more.

    Raises Conflict while a worker of the run may still be writing: the leases then end by themselves when it does.
    """
    with session.transaction():
        if session.execute(_LOCK_ONE, (token,)).fetchone() is None:
            return False
        workers = [ProcessIdentity(*row) for row in session.execute(_WORKERS, (token,)).fetchall()]
        alive = [f"pid {worker.pid} on {worker.host}" for worker in workers if not gone(worker)]
        if alive:
            raise Conflict(f"The leases (token {token}) are not released: {', '.join(alive)} of this run may still be writing. They end when it ends.")
        session.execute(_END, ([token],))
    return True


def fence(session: Session, token: int) -> None:
    """Inside a transaction: nobody takes the lease over until the transaction ends, and it is renewed. Raises LeaseLost if somebody already has.

    A lease whose time is over is still ours as long as nobody has taken it: taking it deletes the row that this locks.
    """
    if session.execute(_FENCE, (token,)).fetchone() is None:
        raise LeaseLost(f"The lease (token {token}) was released or, after its time was over, taken by somebody else: the registry is not written.")
