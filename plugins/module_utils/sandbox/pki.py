# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's own certificate authorities and the certificates that its servers and clients carry."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.lazy import LazyModule
from . import files

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509 import oid
else:
    x509 = LazyModule("cryptography.x509")
    oid = LazyModule("cryptography.x509.oid")
    hashes = LazyModule("cryptography.hazmat.primitives.hashes")
    serialization = LazyModule("cryptography.hazmat.primitives.serialization")
    ec = LazyModule("cryptography.hazmat.primitives.asymmetric.ec")

CA_DAYS = 3650
LEAF_DAYS = 825
RENEW_DAYS = 30
LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def new_signing_key() -> bytes:
    """A fresh P-256 key as PEM in the format of RFC 5915, the only one in which Kubernetes finds the public half too."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    attributes = [x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    return x509.Name([*attributes, x509.NameAttribute(oid.NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _current(certificate: Path, issuer: x509.Certificate | None) -> bool:
    """Whether the file holds a certificate of this issuer that is good for another RENEW_DAYS."""
    if not certificate.is_file():
        return False
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    if issuer is not None:
        try:
            loaded.verify_directly_issued_by(issuer)
        except Exception:
            return False
    return loaded.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=RENEW_DAYS)


class Authority:
    """A certificate authority kept in ``folder`` as ``ca.crt`` and ``ca.key``, made on first use."""

    def __init__(self, folder: Path, common_name: str) -> None:
        self.folder = folder
        self.common_name = common_name
        self.pair = Pair(folder / "ca.crt", folder / "ca.key")

    def ensure(self) -> bool:
        """Make the authority if it is not there; True if it was made."""
        changed = files.directory(self.folder)
        if self.pair.key.is_file() and _current(self.pair.certificate, None):
            return changed
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(self.common_name, ())
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        certificate = (
            _builder(name, name, key.public_key(), CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        files.write(self.pair.key, _key_pem(key))
        files.write(self.pair.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return True

    def issue(self, pair: Pair, common_name: str, *, organizations: Sequence[str] = (), names: Sequence[str] = (), owner: files.Account | None = None) -> bool:
        """Make the pair a certificate of this authority for a client (no ``names``) or a server under ``names``; True if it was made.

        A server's certificate serves as a client's too: etcd's members and some proxies are both.
        """
        authority = x509.load_pem_x509_certificate(self.pair.certificate.read_bytes())
        if pair.key.is_file() and _current(pair.certificate, authority):
            return False
        signer = serialization.load_pem_private_key(self.pair.key.read_bytes(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self.pair.key} is not an elliptic curve key")
        key = ec.generate_private_key(ec.SECP256R1())
        uses = [oid.ExtendedKeyUsageOID.CLIENT_AUTH, *([oid.ExtendedKeyUsageOID.SERVER_AUTH] if names else [])]
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = (
            _builder(_name(common_name, organizations), authority.subject, key.public_key(), LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        files.directory(pair.key.parent, 0o700, owner)
        files.write(pair.key, _key_pem(key), 0o600, owner)
        files.write(pair.certificate, builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), 0o644, owner)
        return True
