# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that checks of Neo4j Enterprise need. A file of its own, so that who makes the account need not load the checks."""

from __future__ import annotations

from typing import LiteralString

# What all checks together need: no privilege of these reads a node.
GRANTS: tuple[LiteralString, ...] = (
    "GRANT ACCESS ON DATABASE * TO $role",
    "GRANT SHOW TRANSACTION (*) ON DATABASE * TO $role",
    "GRANT SHOW INDEX ON DATABASE * TO $role",
    "GRANT SHOW CONSTRAINT ON DATABASE * TO $role",
    "GRANT SHOW SETTING dbms.security.auth_enabled ON DBMS TO $role",
    "GRANT SHOW SERVERS ON DBMS TO $role",
    "GRANT EXECUTE PROCEDURE dbms.queryJmx ON DBMS TO $role",
)
