# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the registry database: for jobs in containers, whose files are gone when they end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString

from ..common.errors import OpsError
from ..registry.connection import session
from .history import Loaded, Past, bounds, moment

_LOAD: LiteralString = """
SELECT document, started > clock_timestamp() FROM health_runs
WHERE environment = %(environment)s AND operation = %(operation)s AND (started <= %(before)s OR started > clock_timestamp()) ORDER BY started, run_id
"""
_ADD: LiteralString = """
INSERT INTO health_runs (environment, operation, run_id, started, document)
VALUES (%(environment)s, %(operation)s, %(run_id)s, %(started)s, %(document)s)
"""
_LET_GO: LiteralString = """
DELETE FROM health_runs WHERE environment = %(environment)s AND operation = %(operation)s AND (
    started < least(%(started)s, clock_timestamp()) - make_interval(days => %(days)s) OR (started, run_id) NOT IN (
    SELECT started, run_id FROM health_runs WHERE environment = %(environment)s AND operation = %(operation)s
    ORDER BY started DESC, run_id DESC LIMIT %(keep)s
))
"""


class RegistryStore:
    """See Store in history.py. One row a run, of each environment and operation at most ``keep_runs`` of them and none older than ``keep_days``."""

    def __init__(self, registry: Mapping[str, Any], operation: str, keep_runs: int = 120, keep_days: int = 90, timeout: int = 5) -> None:
        bounds(keep_runs, keep_days)
        self._registry, self._timeout, self._operation = registry, timeout, operation
        self._keep_runs, self._keep_days = keep_runs, keep_days

    def load(self, environment: str, before: datetime) -> Loaded:
        """See Store. A registry that is away is a problem, too: nothing is known of earlier runs then."""
        values = {"environment": environment, "operation": self._operation, "before": before}
        try:
            with session(self._registry, self._timeout) as connection:
                rows = connection.execute(_LOAD, values).fetchall()
        except OpsError as error:
            return Loaded((), (error.message,))
        runs, problems = [], []
        for document, ahead in rows:
            try:
                past = Past.from_text(str(document))
            except (ValueError, RecursionError) as error:
                problems.append(f"a run in the registry's table health_runs cannot be read: {error}")
                continue
            if ahead:
                problems.append(f"run {past.run_id} in the registry's table health_runs is of the future ({past.started}); a clock was wrong")
            else:
                runs.append(past)
        return Loaded(runs, problems)

    def add(self, past: Past) -> None:
        """See Store."""
        row = {
            "environment": past.environment,
            "operation": self._operation,
            "run_id": past.run_id,
            "started": moment(past.started),
            "document": past.to_text(),
        }
        try:
            with session(self._registry, self._timeout) as connection, connection.transaction():
                connection.execute(_ADD, {**row, "document": past.to_text()})
                connection.execute(_LET_GO, {**row, "keep": self._keep_runs, "days": self._keep_days})
        except OpsError as error:
            raise OpsError(f"The run cannot be kept in the registry: {error.message} The next run will take what is found now for new.") from error
