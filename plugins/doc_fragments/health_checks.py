# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that run health checks have in common."""

    DOCUMENTATION = r"""
options:
  region:
    description: Region of the endpoint that is checked.
    type: str
    required: true
  profile:
    description: Which checks belong to the run.
    type: str
    default: daily
    choices: [daily, post_deploy, diagnose]
  only:
    description: Ids of checks. If given, no others are part of the run.
    type: list
    elements: str
    default: []
  without:
    description: Ids of checks that are skipped. The report says so.
    type: list
    elements: str
    default: []
  writes:
    description: Whether checks may run that write. If not, they are skipped.
    type: bool
    default: true
  thresholds:
    description: Figures that replace those of checks, by the check's id (or C(id[variant]) for one of its variants), with C(degraded) and C(critical).
    type: dict
    default: {}
  options:
    description: What the inventory says about this endpoint for its checks, for example addresses and names that they look at.
    type: dict
    default: {}
  tenants:
    description: The tenants that the run is about, as M(leanvibe.ops.tenants_declared) returns them.
    type: list
    elements: dict
    default: []
  absent:
    description: Why this system is declared absent here. If given, nothing is connected to and all checks are skipped with this reason.
    type: str
  connect_timeout:
    description: Seconds that the system has to let us in. If it does not, all its checks are C(unknown).
    type: float
    default: 3.0
  budget:
    description: Seconds that all checks of this endpoint have together. Checks that are not reached are C(unknown).
    type: float
    default: 30.0
"""
