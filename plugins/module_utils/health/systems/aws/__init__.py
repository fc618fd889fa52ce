# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS: checks of the resources that the inventory names, and of nothing else.

Health options, each a mapping of names to what is declared of them, or a list of names: ``rds_instances``, ``elasticache_groups``, ``eks_clusters``,
``route53_health_checks`` (by id or host name, in one region only), ``kms_keys`` (by alias, id or ARN); and ``account_id``, ``cloudwatch`` (true).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...model import Check, Comparison
from . import eks, elasticache, kms, rds, route53
from .account import ACCOUNT, Account

CHECKS: tuple[Check[Account], ...] = (
    ACCOUNT,
    rds.INSTANCES,
    rds.BACKUPS,
    rds.STORAGE,
    elasticache.GROUPS,
    eks.CLUSTERS,
    route53.CHECKS_OF_ROUTE53,
    kms.KEYS,
)

COMPARISONS: Sequence[Comparison] = ()
