# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the store answers, at what time of its own, with what certificate, and whether it refuses strangers."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from ....common.errors import Unreachable
from ....reports.model import CRITICAL
from ... import clocks
from ...model import Finding, NoData, NotApplicable, Threshold
from .. import expiry
from ..folding import told
from .buckets import backup_buckets, tenant_buckets
from .store import Run, check, names


def _up(session: Run) -> Iterator[Finding]:
    found = names(session)
    yield Finding(observed=round(found.seconds, 4), message=f"answered with {len(found.buckets)} buckets in {found.seconds:.3f} s")


def _clock(session: Run) -> Iterator[Finding]:
    ahead = names(session).skew
    if ahead is None:
        raise NoData(f"{session.client.where} says not what time it is (no Date header)")
    yield clocks.seen(session, "object_store.clock", ahead)


def _handshake(address: tuple[str, int], context: ssl.SSLContext, seconds: float) -> bytes:
    """The certificate that is shown, in DER. Raises OSError."""
    with socket.create_connection(address, timeout=seconds) as plain, context.wrap_socket(plain, server_hostname=address[0]) as tls:
        return tls.getpeercert(binary_form=True) or b""


def _certificate(session: Run) -> Iterator[Finding]:
    driver = session.client
    if driver.address is None:
        raise NotApplicable("the certificate is the provider's own business")
    what = f"the certificate of {driver.where}"
    problem = ""
    try:
        shown = _handshake(driver.address, ssl.create_default_context(cafile=driver.ca_file), 3.0)
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message
        blind = ssl.create_default_context()  # to read what is shown, and nothing else: nothing is sent
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        shown = _handshake(driver.address, blind, 3.0)
    except OSError as error:
        raise Unreachable(f"{driver.where} does not answer: {error or type(error).__name__}") from error
    finding = expiry.of_der(shown, what).finding(datetime.now(UTC), what)
    if problem:
        yield Finding(verdict=CRITICAL, observed=finding.observed, variant=finding.variant, message=f"it is not accepted ({problem}): {finding.message}")
    else:
        yield finding


def _closed(session: Run) -> Iterable[Finding]:
    """The store itself, the backups, and one tenant's bucket: what is true of that one is told of all by the tenants operation."""
    driver = session.client
    asked = ["", *backup_buckets(session), *sorted(tenant_buckets(session))[:1]]
    found = []
    for bucket in asked:
        way = driver.open_for(bucket)
        if way:
            found.append(Finding(verdict=CRITICAL, name=bucket or "all", message=f"{bucket or 'the list of buckets'} is open to strangers by {way}"))
    return told(session, found, len(asked), "places that strangers must not reach")


CHECKS = (
    check(
        "certificate",
        "How long is the store's certificate good for?",
        _certificate,
        "openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -enddate",
        "",
        threshold=expiry.THRESHOLD,
        variants=expiry.VARIANTS,
    ),
    check(
        "up",
        "Does the store answer, and how soon?",
        _up,
        "aws s3api list-buckets",
        "s3:ListAllMyBuckets",
        threshold=Threshold(degraded=1, critical=5, unit="s", source="ours: a list of buckets takes milliseconds; clients give up after some seconds"),
    ),
    check(
        "clock",
        "How far is the store's clock from ours?",
        _clock,
        "curl -sI ENDPOINT | grep -i '^date'; date -u",
        "s3:ListAllMyBuckets",
        threshold=Threshold(degraded=60, critical=600, unit="s", source="S3 refuses requests whose time is more than 15 min off"),
    ),
    check(
        "closed",
        "Are strangers refused?",
        _closed,
        "curl -s -o /dev/null -w '%{http_code}' ENDPOINT/BUCKET?list-type=2",
        "s3:GetBucketPublicAccessBlock where the store is Amazon's",
    ),
)
