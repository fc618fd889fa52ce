# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease under which a module's process may write: renewed while it works, checked before every writing step.

One run takes leases on all its tenants at once, under one fencing token (registry/leases.py); the module processes of that run are its workers.
Time is the database's; here only the length of time since the last confirmed renewal counts, measured from before it was sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from .errors import LeaseLost, OpsError
from .processes import identify

if TYPE_CHECKING:
    import psycopg

FIRST_RENEWAL_SECONDS = 2.0
RETRY_SECONDS = 1.0
RENEWALS_PER_TTL = 4

_RENEW = """
UPDATE lease_holders SET heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + ttl
WHERE token = %(token)s RETURNING extract(epoch FROM ttl)::float8
"""
_REGISTER = """
INSERT INTO lease_workers (token, host, place, pid, started)
VALUES (%(token)s, %(host)s, %(place)s, %(pid)s, %(started)s) ON CONFLICT DO NOTHING
"""
_UNREGISTER = "DELETE FROM lease_workers WHERE token = %(token)s AND place = %(place)s AND pid = %(pid)s AND started = %(started)s"


class AnyLease(Protocol):
    """What a writing step needs: ``with lease: … lease.check()``."""

    def __enter__(self) -> AnyLease: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def check(self) -> None:
        """Raise LeaseLost if nothing may be written any more."""


class NoLease:
    """For a caller that sees to it by itself that nobody else works on the same tenants."""

    def __enter__(self) -> NoLease:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def check(self) -> None:
        """Always allowed."""


def _monotonic() -> float:
    """Seconds that go on while the machine sleeps, where the system offers such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()


class Lease:
    """The lease ``token`` of a run, seen from one of its processes.

    The registry is contacted at the first ``check`` or after FIRST_RENEWAL_SECONDS, whichever comes first: a process that ends soon and writes
    nothing never asks. From then on the process is a worker of the lease, which holds it until it ends even if the run's own process was killed.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[tuple[Any, ...]]],
        token: int,
        label: str,
        *,
        clock: Callable[[], float] = _monotonic,
        first_renewal: float = FIRST_RENEWAL_SECONDS,
    ) -> None:
        self._connect = connect
        self._token = token
        self._label = label
        self._clock = clock
        self._first_renewal = first_renewal
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._working = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._registered = False
        self._valid_until = 0.0
        self._ttl = 0.0
        self._lost: str | None = None
        me = identify()
        self._row = {"token": token, "host": me.host, "place": me.place, "pid": me.pid, "started": me.started}

    @classmethod
    def from_params(cls, lease: Mapping[str, Any] | None) -> Lease | NoLease:
        """Read the module parameter ``lease`` (arguments.py); without it, NoLease."""
        if not lease:
            return NoLease()
        from ..registry.connection import connect

        registry = dict(lease["registry"])
        return cls(lambda: connect(registry), int(lease["token"]), f"{lease['name']} of {lease['owner']}")

    def __enter__(self) -> Lease:
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._working:
            if self._registered and self._lost is None:
                self._leave()
            self._close()

    def check(self) -> None:
        """Raise LeaseLost if the lease was taken over or released, or was not confirmed for as long as it lasts.

        Cheap (no request) except for the first call, which also raises Unreachable if the registry does not answer.
        """
        if not self._registered and self._lost is None:
            with self._working:
                if not self._registered and self._lost is None:
                    self._renew()
        if self._lost is None and self._clock() >= self._valid_until:
            self._lost = f"not confirmed by the registry for {self._ttl:.0f} s"
        if self._lost is not None:
            raise LeaseLost(f"lease {self._label} (token {self._token}) is lost: {self._lost}. Nothing more is written; run it again to complete the work.")

    def _renew(self) -> None:
        """One confirmed renewal; the first registers this process. Call it with the lock held."""
        sent = self._clock()
        if self._connection is None:
            self._connection = self._connect()
        with self._connection.transaction():
            row = self._connection.execute(_RENEW, self._row).fetchone()
            if row is not None and not self._registered:
                self._connection.execute(_REGISTER, self._row)
        if row is None:
            self._lost = "it was released, or taken over after it had expired"
            return
        self._ttl = float(row[0])
        self._valid_until = sent + self._ttl
        self._registered = True

    def _keep(self) -> None:
        """The thread: renew until told to stop, or until the lease is gone."""
        import psycopg

        pause = self._first_renewal
        while not self._stop.wait(pause) and self._lost is None:
            with self._working:
                try:
                    self._renew()
                except (psycopg.Error, OpsError):
                    # Not confirmed: check() says so once the time has run out. Until then it is tried again, with a new session.
                    self._close()
                    pause = RETRY_SECONDS
                else:
                    pause = self._ttl / RENEWALS_PER_TTL

    def _leave(self) -> None:
        import psycopg

        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.execute(_UNREGISTER, self._row)
        except (psycopg.Error, OpsError):
            # The work is done; a row that stays behind names a process that is gone a moment later, which anybody on this machine can prove.
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
