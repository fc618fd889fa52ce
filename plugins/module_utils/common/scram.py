# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 verifiers as PostgreSQL stores them (RFC 5802, RFC 7677), made here so that no server sees a password in clear."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

ITERATIONS = 4096  # PostgreSQL's own default
SALT_BYTES = 16


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """Make ``SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>``.

    Raises ValueError unless the password is printable ASCII: others would have to be normalised first (RFC 4013), and ours are all ASCII.
    """
    if not password or not password.isascii() or not password.isprintable():
        raise ValueError("a password must be printable ASCII")
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode("ascii") for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt_text}${stored_text}:{server_text}"


def matches(password: str, stored: str | None) -> bool:
    """Whether a stored verifier is one of this password. Anything that is no SCRAM verifier (NULL, md5) is not. Costs the iterations: about 2 ms."""
    if not stored or not stored.startswith("SCRAM-SHA-256$"):
        return False
    try:
        _scheme, work, _keys = stored.split("$")
        iterations, salt = work.split(":")
        expected = verifier(password, base64.b64decode(salt, validate=True), int(iterations))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(expected, stored)


def proof(password: str, stored: str) -> str:
    """A short value that ties a password to the verifier that was stored for it: recomputing it costs microseconds, not the verifier's iterations.

    It gives nothing away as long as passwords are random 256-bit values (a guess can be tested against it as against the verifier itself, only
    faster), so it is kept where only operations may read.
    """
    return hmac.new(password.encode("utf-8"), b"leanvibe.ops/proof/v1\0" + stored.encode("utf-8"), "sha256").hexdigest()
