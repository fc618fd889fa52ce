# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are made once, renewed when they end, and made anew when they are of another authority."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import pki
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@pytest.fixture
def authority(tmp_path: Path) -> pki.Authority:
    made = pki.Authority(tmp_path / "ca", "test")
    assert made.ensure() is True
    return made


def pair(tmp_path: Path) -> pki.Pair:
    return pki.Pair(tmp_path / "server/server.crt", tmp_path / "server/server.key")


def test_a_server_is_known_by_name_and_address(authority: pki.Authority, tmp_path: Path) -> None:
    assert authority.issue(pair(tmp_path), "localhost", names=pki.LOOPBACK) is True
    certificate = x509.load_pem_x509_certificate(pair(tmp_path).certificate.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pair.certificate.read_bytes()))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    key = serialization.load_pem_private_key(pair(tmp_path).key.read_bytes(), None)
    assert key.public_key() == certificate.public_key()


def test_a_client_is_no_server(authority: pki.Authority, tmp_path: Path) -> None:
    authority.issue(pair(tmp_path), "admin", organizations=("system:masters",))
    certificate = x509.load_pem_x509_certificate(pair(tmp_path).certificate.read_bytes())
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"


def test_nothing_is_made_twice(authority: pki.Authority, tmp_path: Path) -> None:
    authority.issue(pair(tmp_path), "localhost", names=pki.LOOPBACK)
    before = pair(tmp_path).certificate.read_bytes()
    assert authority.ensure() is False
    assert authority.issue(pair(tmp_path), "localhost", names=pki.LOOPBACK) is False
    assert pair(tmp_path).certificate.read_bytes() == before


def test_a_certificate_of_another_authority_is_replaced(authority: pki.Authority, tmp_path: Path) -> None:
    authority.issue(pair(tmp_path), "localhost", names=pki.LOOPBACK)
    other = pki.Authority(tmp_path / "other", "other")
    other.ensure()
    assert other.issue(pair(tmp_path), "localhost", names=pki.LOOPBACK) is True


def test_a_certificate_that_is_about_to_end_is_replaced(authority: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pki, "LEAF_DAYS", pki.RENEW_DAYS - 1)
    authority.issue(pair(tmp_path), "localhost", names=pki.LOOPBACK)
    monkeypatch.undo()
    assert authority.issue(pair(tmp_path), "localhost", names=pki.LOOPBACK) is True
    renewed = x509.load_pem_x509_certificate(pair(tmp_path).certificate.read_bytes())
    assert renewed.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=pki.RENEW_DAYS)
