# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions through PgBouncer, each bound to one tenant by a variable that ends with it.

The variable is set by a parameter, inside the transaction in which the work is done and on the connection that does it; whatever PgBouncer gives to
the next client knows nothing of it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from .configuration import Database
from .metrics import TRANSACTIONS

BIND = "SELECT set_config('rls.tenant_id', %s, true)"
CONNECT_SECONDS = 3
CONNECTIONS = 8
Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]


class Unavailable(Exception):
    """A system that the service needs does not answer as it should."""

    def __init__(self, system: str, reason: str) -> None:
        super().__init__(f"{system}: {reason}")
        self.system = system


def hang_up(connection: Connection) -> None:
    """Break the connection under whoever waits for its answer: a server that holds still would keep a cancelled query waiting as well."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


class Sessions:
    """At most ``CONNECTIONS`` connections as one role; every transaction ends within ``seconds``."""

    def __init__(self, database: Database, name: str, *, seconds: float = 5.0) -> None:
        self.database = database
        self.name = name
        self.seconds = seconds
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def _connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(
            **self.database.parameters,
            application_name=self.name,
            connect_timeout=CONNECT_SECONDS,
            # Transaction pooling gives each transaction another server session: nothing can be prepared in one.
            prepare_threshold=None,
            row_factory=dict_row,
        )

    async def _begin(self, connection: Connection, tenant: str | None) -> None:
        await connection.execute(BIND, (tenant or "",))

    async def _ready(self, tenant: str | None) -> Connection:
        """A connection with an open transaction for ``tenant``. One that has died while it was idle is replaced."""
        if self._idle:
            connection = self._idle.pop()
            timer = asyncio.get_running_loop().call_later(self.seconds / 2, hang_up, connection)
            try:
                await self._begin(connection, tenant)
                return connection
            except psycopg.OperationalError:
                # What happened to this one has happened to the others; finding that out one by one would take too long.
                await connection.close()
                await self.close()
            finally:
                timer.cancel()
        connection = await self._connect()
        timer = asyncio.get_running_loop().call_later(self.seconds, hang_up, connection)
        try:
            await self._begin(connection, tenant)
        except BaseException:
            await connection.close()
            raise
        finally:
            timer.cancel()
        return connection

    @asynccontextmanager
    async def transaction(self, tenant: str | None) -> AsyncIterator[Connection]:
        """A transaction that sees the rows of ``tenant`` only (of nobody for None). Raises Unavailable."""
        try:
            async with asyncio.timeout(self.seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unavailable("database", f"all {CONNECTIONS} connections are busy") from error
        try:
            async with self._bound(tenant) as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            # A table that is missing: the platform's migrations have not run yet.
            TRANSACTIONS.labels(self.name, "failed").inc()
            raise Unavailable("database", (str(error).strip() or type(error).__name__).splitlines()[0]) from error
        finally:
            self._slots.release()

    @asynccontextmanager
    async def _bound(self, tenant: str | None) -> AsyncIterator[Connection]:
        connection = await self._ready(tenant)
        timer = asyncio.get_running_loop().call_later(self.seconds, hang_up, connection)
        try:
            yield connection
            await connection.commit()
            TRANSACTIONS.labels(self.name, "committed").inc()
        except asyncio.CancelledError:
            hang_up(connection)
            raise
        except Exception:
            with suppress(psycopg.Error):
                await connection.rollback()
            raise
        finally:
            timer.cancel()
            if connection.closed or connection.broken or connection.info.transaction_status != TransactionStatus.IDLE:
                await connection.close()
            else:
                self._idle.append(connection)

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._idle.pop().close()
