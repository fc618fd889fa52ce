# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object store: versitygw over a folder, with versions, object lock and accounts of its own."""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ...common.lazy import LazyModule
from .. import commands, files, web
from ..part import Part
from ..supervisor import Program
from ..waiting import NotReady

if TYPE_CHECKING:
    from botocore import auth, awsrequest, credentials
else:
    auth = LazyModule("botocore.auth")
    awsrequest = LazyModule("botocore.awsrequest")
    credentials = LazyModule("botocore.credentials")

# The shortest retention that still shows that nobody, the store's root included, can remove a backup before its time.
LOCK_DAYS = 1
LOCK = (
    '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectLockEnabled>Enabled</ObjectLockEnabled>'
    f"<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>{LOCK_DAYS}</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
)


class ObjectStore(Part):
    """One gateway per region, over TLS."""

    component = "object_store"
    system = "object_store"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("object_store", self.region),)

    @property
    def address(self) -> str:
        return f"https://localhost:{self.ports[0]}"

    def outlives(self) -> tuple[str, ...]:
        # A PostgreSQL that stops archives what it has left, and waits in vain for a store that has gone.
        return (f"postgresql-{self.region}",)

    @property
    def backup_bucket(self) -> str:
        """Where the region's backups go."""
        return f"leanvibe-backups-{self.region}"

    @cached_property
    def _accounts(self) -> dict[str, dict[str, str]]:
        accounts: dict[str, dict[str, str]] = self.context.secrets["object_store"][self.region]
        return accounts

    def prepare(self) -> list[str]:
        owner = self.account
        done = []
        # Data and versions lie beside each other: one inside the other, versions would be listed as objects.
        for folder in (self.home, self.home / "objects", self.home / "versions", self.home / "accounts"):
            if files.directory(folder, 0o700, owner):
                done.append(f"{folder.name} made")
        if self.context.issue_server(self.component, self.region, owner):
            done.append("certificate made")
        return done

    def program(self) -> Program:
        pair = self.context.server_pair(self.component, self.region)
        root = self._accounts["root"]
        options = ["--port", f"127.0.0.1:{self.ports[0]}", "--region", str(self.region), "--cert", str(pair.certificate), "--key", str(pair.key)]
        options += ["--iam-dir", str(self.home / "accounts"), "--keep-alive", "--disable-acl", "--quiet"]
        backend = ["posix", "--versioning-dir", str(self.home / "versions"), str(self.home / "objects")]
        return Program(
            name=self.id,
            argv=(str(self.context.binary("versitygw")), *options, *backend),
            directory=self.home,
            user=self.account.name,
            environment={"ROOT_ACCESS_KEY": root["access_key_id"], "ROOT_SECRET_KEY": root["secret_access_key"]},
        )

    def call(self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None, timeout: float = 5.0) -> web.Answer:
        """A signed request as the store's root. Raises NotReady when no answer comes."""
        root = self._accounts["root"]
        url = self.address + path
        request = awsrequest.AWSRequest(
            method=method, url=url, data=body, headers={**(headers or {}), "X-Amz-Content-Sha256": hashlib.sha256(body).hexdigest()}
        )
        auth.S3SigV4Auth(credentials.Credentials(root["access_key_id"], root["secret_access_key"]), "s3", str(self.region)).add_auth(request)
        return web.request(method, url, ca_file=self.context.ca_file, body=body, headers=dict(request.headers.items()), timeout=timeout)

    def _done(self, answer: web.Answer, what: str) -> None:
        if answer.status >= 300:
            raise NotReady(f"the object store in {self.region} answers {answer.status} to {what}: {answer.body[:400].decode(errors='replace')}")

    def exists(self, bucket: str, key: str) -> bool:
        """Whether there is such an object."""
        answer = self.call("HEAD", f"/{bucket}/{key}")
        if answer.status not in (200, 404):
            self._done(answer, f"HEAD {bucket}/{key}")
        return answer.status == 200

    def ready(self) -> None:
        self._done(self.call("GET", "/"), "the list of buckets")

    def probe(self, timeout: float = 5.0) -> str:
        self._done(self.call("GET", "/", timeout=timeout), "the list of buckets")
        said = commands.run([str(self.context.binary("versitygw")), "--version"], account=self.account, directory=Path("/"), data=self.context.data, timeout=5)
        return next((line.split()[-1].removeprefix("v") for line in said.splitlines() if line.lower().startswith("version")), said.split()[-1])

    def configure(self) -> list[str]:
        done = []
        answer = self.call("PATCH", "/list-users")
        self._done(answer, "the list of accounts")
        users = ElementTree.fromstring(answer.body)  # noqa: S314  it comes from the server that we have just started
        known = {element.text for element in users.iter() if element.tag.rpartition("}")[2] == "Access"}
        for name, role in (("operations", "admin"), ("backups", "user")):
            account = self._accounts[name]
            if account["access_key_id"] not in known:
                self._done(self.call("PATCH", "/create-user", body=_account(account, role)), f"making the account {name}")
                done.append(f"account {name} made")
        if self.call("HEAD", f"/{self.backup_bucket}").status == 404:
            owner = {"x-vgw-owner": self._accounts["backups"]["access_key_id"], "x-amz-bucket-object-lock-enabled": "true"}
            self._done(self.call("PATCH", f"/{self.backup_bucket}/create", headers=owner), f"making the bucket {self.backup_bucket}")
            done.append(f"bucket {self.backup_bucket} made, with versions")
        found = self.call("GET", f"/{self.backup_bucket}?object-lock=")
        if found.status == 404 or b"<DefaultRetention>" not in found.body:
            lock = LOCK.encode()
            self._done(self.call("PUT", f"/{self.backup_bucket}?object-lock=", body=lock, headers=_checksum(lock)), "setting the object lock")
            done.append(f"object lock of {self.backup_bucket} set")
        return done


def _account(account: dict[str, str], role: str) -> bytes:
    root = ElementTree.Element("Account")
    fields: dict[str, Any] = {
        "Access": account["access_key_id"],
        "Secret": account["secret_access_key"],
        "Role": role,
        "UserID": 0,
        "GroupID": 0,
        "ProjectID": 0,
    }
    for tag, value in fields.items():
        ElementTree.SubElement(root, tag).text = str(value)
    return ElementTree.tostring(root)


def _checksum(body: bytes) -> dict[str, str]:
    return {"Content-MD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}
