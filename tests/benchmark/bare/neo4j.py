# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neo4j with its driver: the statements of all sequences, one after another."""

from __future__ import annotations

from typing import Any

from neo4j import GraphDatabase


def send(stage: dict[str, Any]) -> int:
    """A request is ``[statement, parameters, database]``."""
    requests = 0
    with GraphDatabase.driver(stage["uri"], auth=(stage["username"], stage["password"])) as driver:
        for sequence in stage["sequences"]:
            for statement, parameters, database in sequence:
                driver.execute_query(statement, parameters, database_=database)
                requests += 1
    return requests
