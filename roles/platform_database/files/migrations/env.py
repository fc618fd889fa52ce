# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the shared tables' migrations on the caller's connection, as the owner of the tables and with row-level security as an error, not a filter.

A statement that row-level security would narrow down (an UPDATE of all rows, say) fails. ``protections.across_tenants`` is the way to reach every row.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import context

# The protections.py beside this file, also if another folder's was imported before.
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.modules.pop("protections", None)

connection = context.config.attributes["connection"]
schema = context.config.attributes["version_schema"]

connection.exec_driver_sql("SET LOCAL row_security = off")
connection.exec_driver_sql("SET LOCAL ROLE leanvibe_owner")
connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS leanvibe_private")
context.configure(connection=connection, target_metadata=None, transactional_ddl=True, version_table_schema=schema)
with context.begin_transaction():
    context.run_migrations()
connection.exec_driver_sql("RESET ROLE")
