# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that checks of the registry need. A file of its own, so that who makes the role need not load the checks."""

from __future__ import annotations

# Tables of later releases come readable into being, so that an upgrade does not leave the checks without rights.
STATEMENTS = (
    "CREATE ROLE <role> LOGIN",
    "GRANT CONNECT ON DATABASE <registry> TO <role>",
    "GRANT USAGE ON SCHEMA public TO <role>",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO <role>",
    "ALTER DEFAULT PRIVILEGES FOR ROLE <owner> IN SCHEMA public GRANT SELECT ON TABLES TO <role>",
)


def grants(*tables: str) -> tuple[str, ...]:
    """What a check that reads these tables names where it may not."""
    return (f"GRANT SELECT ON {', '.join(tables)} TO <role>",)
