# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administration API of versitygw: accounts and owners of buckets. Signed requests (PATCH, XML) that only its root and admin accounts may send."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree

from .object_store import S3Client, S3Error

ADMIN = "admin"
USER = "user"  # may neither create buckets nor reach one without a policy that names it


@dataclass(frozen=True)
class Account:
    """An account of the gateway; ``access`` is its access key id."""

    access: str
    secret: str = field(repr=False)
    role: str = USER


class VersitygwAdmin:
    """Accounts and owners of one gateway. All methods raise what S3Client.request raises."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    def accounts(self) -> dict[str, Account]:
        """All accounts by access key id; root is not among them. One request; the gateway answers secrets in clear."""
        root = self._client.request("PATCH", "/list-users").xml()
        found = (
            Account(element.findtext("Access") or "", element.findtext("Secret") or "", element.findtext("Role") or "") for element in root.iter("Accounts")
        )
        return {account.access: account for account in found if account.access}

    def owners(self) -> dict[str, str]:
        """Owner of every bucket, by its name. One request."""
        root = self._client.request("PATCH", "/list-buckets").xml()
        return {element.findtext("Name") or "": element.findtext("Owner") or "" for element in root.iter("Buckets")}

    def create(self, account: Account) -> None:
        """Make an account; if it is there meanwhile, set it."""
        body = _document("Account", {"Access": account.access, "Secret": account.secret, "Role": account.role, "UserID": "0", "GroupID": "0", "ProjectID": "0"})
        try:
            self._client.request("PATCH", "/create-user", body=body)
        except S3Error as error:
            if error.code != "XAdminUserExists":
                raise
            self.update(account)

    def update(self, account: Account) -> None:
        """Set an account's secret and role."""
        body = _document("MutableProps", {"Secret": account.secret, "Role": account.role})
        self._client.request("PATCH", "/update-user", {"access": account.access}, body=body)

    def delete(self, access: str) -> None:
        """Remove an account; none by that name is no error."""
        self._client.request("PATCH", "/delete-user", {"access": access})

    def set_owner(self, bucket: str, owner: str) -> None:
        """Make an account the owner of a bucket. The gateway resets the bucket's ACL to the owner alone and deletes its policy."""
        self._client.request("PATCH", "/change-bucket-owner", {"bucket": bucket, "owner": owner})


def _document(name: str, values: dict[str, str]) -> bytes:
    root = ElementTree.Element(name)
    for key, value in values.items():
        ElementTree.SubElement(root, key).text = value
    return ElementTree.tostring(root)
