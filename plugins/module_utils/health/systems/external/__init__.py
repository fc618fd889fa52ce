# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks of services outside the platform: payments, identity, mail. None of them needs a key that opens anything."""

from __future__ import annotations

from ...model import Check, Comparison
from . import billing, certificates, identity, mail
from .services import Services

CHECKS: tuple[Check[Services], ...] = (*certificates.CHECKS, *billing.CHECKS, *identity.CHECKS, *mail.CHECKS)
COMPARISONS: tuple[Comparison, ...] = ()
