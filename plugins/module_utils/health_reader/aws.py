# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user of IAM that the checks of AWS look with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..health.systems.aws_rights import ACTIONS, policy
from .iam import ensure
from .model import nobody

SYSTEM = "aws"
POLICY = "leanvibe-health-aws"


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module health_reader_aws. Raises OpsError."""
    user = params["user"]
    if not user:
        return nobody("health_reader_iam_user", "leanvibe_ops_aws").to_exit(SYSTEM, params["region"])
    return ensure(params["connection"], user, POLICY, policy(ACTIONS), params["timeout"], check_mode).to_exit(SYSTEM, params["region"])
