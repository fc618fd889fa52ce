# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long certificates last. For every check that looks at one, of whatever system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..model import Finding, NoData, Threshold

SHORT = "short_lived"
SHORT_DAYS = 100  # a certificate that was issued for fewer is renewed by a program, and is nearly always near its end
THRESHOLD = Threshold(degraded=30, critical=7, worse="lower", unit="days", source="guides: 'SSL certificates valid (expires > 30 days)'; 7 days are ours")
VARIANTS = {
    SHORT: Threshold(
        degraded=20, critical=10, worse="lower", unit="% of its life", source="ACME clients renew with a third of the life left; at a fifth, that has failed"
    )
}


@dataclass(frozen=True)
class Expiry:
    """From when until when something counts, and what it is for."""

    subject: str
    start: datetime
    end: datetime

    def finding(self, now: datetime, what: str, **more: Any) -> Finding:
        """What is left: in days, or of a short life in percent of it."""
        left, life = self.end - now, self.end - self.start
        days = left / timedelta(days=1)
        how = f"expired {-days:.1f} days ago" if days < 0 else f"expires in {days:.1f} days"
        said = f"{what} ({self.subject}) {how}, {self.end:%Y-%m-%d %H:%M} UTC"
        if self.start > now + timedelta(minutes=5):
            return Finding(verdict="critical", message=f"{what} ({self.subject}) counts only from {self.start:%Y-%m-%d %H:%M} UTC", **more)
        if life < timedelta(days=SHORT_DAYS):
            return Finding(observed=round(100 * left / life, 1), variant=SHORT, message=said, **more)
        return Finding(observed=round(days, 1), message=said, **more)


def _named(certificate: Any) -> str:
    return str(certificate.subject.rfc4514_string() or "no name")[:120]


def of_der(data: bytes, what: str) -> Expiry:
    """A certificate as servers show it. Raises NoData if it is none."""
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise NoData(f"{what} is no certificate ({error})") from error
    return Expiry(_named(certificate), certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def of_pem(data: bytes, what: str, *, alternatives: bool = False) -> Expiry:
    """The one of a chain that expires first, for without any of them it does not hold; of alternatives the last. Raises NoData if there is none."""
    from cryptography import x509

    try:
        chain: Sequence[Any] = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise NoData(f"{what} is no certificate ({error})") from error
    counts = (max if alternatives else min)(chain, key=lambda one: one.not_valid_after_utc)
    return Expiry(_named(counts), counts.not_valid_before_utc, counts.not_valid_after_utc)
