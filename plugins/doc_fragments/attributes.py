# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules' documentation says about check mode, diff mode and idempotence."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would change without changing it.
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when in diff mode. Secrets are redacted.
  idempotent:
    description: When run again with the same arguments, and nothing else touched the system, reports no change and writes nothing.
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/leanvibe.ops.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - leanvibe.ops.all
"""
