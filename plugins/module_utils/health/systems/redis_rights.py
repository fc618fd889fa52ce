# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that checks of Redis need. A file of its own, so that who makes the user need not load the checks."""

from __future__ import annotations

# What all checks together need, and nothing that changes anything or reads a key. No CONFIG GET: it shows the replication's password in clear.
COMMANDS = ("ping", "info", "time", "slowlog|get", "acl|list", "acl|cat", "acl|whoami")
READ_ONLY_RULES = " ".join(("resetkeys", "resetchannels", "-@all", *(f"+{command}" for command in COMMANDS)))
