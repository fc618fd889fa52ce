# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifiers against the example of RFC 7677, and what ties a password to the verifier that was stored for it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common import scram

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
MESSAGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}".encode()


def test_example_of_the_standard() -> None:
    scheme, work, keys = scram.verifier("pencil", SALT).split("$")
    stored, server = (base64.b64decode(part) for part in keys.split(":"))
    assert (scheme, work) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    assert base64.b64encode(hmac.digest(server, MESSAGE, "sha256")) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    key = bytes(one ^ other for one, other in zip(proof, hmac.digest(stored, MESSAGE, "sha256"), strict=True))
    assert hashlib.sha256(key).digest() == stored


def test_matches_only_its_password() -> None:
    stored = scram.verifier("right")
    assert stored != scram.verifier("right"), "the salt must be random"
    assert scram.matches("right", stored)
    assert not scram.matches("wrong", stored)
    for other in (None, "", "md5abc", "SCRAM-SHA-256$x", "SCRAM-SHA-256$4096:!!$a:b", "SCRAM-SHA-256$many:AAAA$a:b"):
        assert not scram.matches("right", other)


def test_proof_is_bound_to_both() -> None:
    stored = scram.verifier("right")
    assert scram.proof("right", stored) == scram.proof("right", stored)
    assert len({scram.proof("right", stored), scram.proof("wrong", stored), scram.proof("right", stored + "x")}) == 3
    assert "right" not in scram.proof("right", stored)


@pytest.mark.parametrize("password", ["", "pässword", "with\nnewline", "zero\0"])
def test_what_would_have_to_be_normalised_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        scram.verifier(password)
