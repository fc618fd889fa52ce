# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of the Secret ``tenant-credentials``: what each phase does to it in each region.

1. prepare, home region: created if and only if a successful read shows that it is absent; POST, so that of two runs one wins. State pending.
2. The systems read it and set their accounts.
3. finish, home region: marked current for the tenants whose systems succeeded. Other regions: a copy of the home's, with their own endpoints.

A run that dies between any two of these is completed by the next: before 1 nothing exists; after 1 and during 2 the same pending secret is read
and set again; during 3 the state or the copy is still missing and is written then. Nothing is ever generated over a Secret that exists.

The Secret is written by POST and by merge patches that name the resourceVersion that was read, not by server-side apply, so that no write
can meet a content that was not looked at. Keys that others add are left alone. Values are never shown.
"""

from __future__ import annotations

import base64
import dataclasses
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...clients.kubernetes import AlreadyExists, KubernetesClient, Object
from ...common.errors import OpsError
from ..credentials import CURRENT, KEYS, NEO4J_KEYS, PENDING, SECRET_NAME, TenantCredentials, generate
from ..model import MANAGED_BY, Change, Tenant
from ..secret_store import ANNOTATION_HOME, MissingSecretError, WrongHomeError, parse
from .kubernetes_fields import owned
from .kubernetes_objects import SECRET, secret
from .kubernetes_plan import Step, TenantPlan, title

_NOT_READY = "no copy is made before all systems of the tenant have succeeded once"


@dataclass(frozen=True)
class Wanted:
    """What is the same for all Secrets of one call. ``endpoints``: this region's, see credentials.secret_data; ``ready``: whose systems succeeded."""

    region: str
    endpoints: Mapping[str, Any]
    neo4j_isolation: bool
    ready: frozenset[str] = frozenset()
    checking: bool = False  # nothing was written by the phases before this one, so that what they would create is not missed


def prepare(plan: TenantPlan, live: Object | None, wanted: Wanted) -> None:
    """Add to a tenant's plan what its Secret needs before the systems are set. In other regions only the home is compared."""
    tenant = plan.tenant
    if tenant.region != wanted.region:
        if live is not None:
            _check_home(plan, live, wanted.region)
        return
    if live is None:
        shown = {key: redacted(1) for key in KEYS if wanted.neo4j_isolation or key not in NEO4J_KEYS}
        change = Change(_title(tenant), "create", after={"state": PENDING, "data": shown})
        plan.steps.append(Step(change, _generate(tenant, wanted)))
        plan.observed["credentials"] = {"generation": 1, "state": PENDING}
        return
    credentials = _read(plan, live, wanted.region)
    if credentials is None:
        return
    plan.observed["credentials"] = {"generation": credentials.generation, "state": credentials.state}
    if wanted.neo4j_isolation and credentials.neo4j_password is None:
        # The edition can isolate tenants now: an account more, for which there never was a password.
        placeholder = dataclasses.replace(credentials, neo4j_password="", state=PENDING)
        _update(plan, live, placeholder, wanted, lambda: dataclasses.replace(placeholder, neo4j_password=secrets.token_urlsafe(32)))
    else:
        _update(plan, live, _fitted(credentials, wanted), wanted)


def finish(plan: TenantPlan, live: Object | None, home: TenantCredentials | OpsError | None, wanted: Wanted) -> None:
    """Add to a tenant's plan what its Secret needs after the systems were set. ``home``: what the home region holds (None in the home region)."""
    tenant = plan.tenant
    if tenant.region == wanted.region:
        if live is None and wanted.checking:
            return
        own = _read(plan, live, wanted.region)
        if own is not None:
            state = CURRENT if tenant.id in wanted.ready else own.state
            _update(plan, live, dataclasses.replace(_fitted(own, wanted), state=state), wanted)
            plan.observed["credentials"] = {"generation": own.generation, "state": state}
        return
    if live is not None and not _check_home(plan, live, wanted.region):
        return
    if isinstance(home, MissingSecretError) and wanted.checking:
        if live is None:
            plan.steps.append(Step(Change(_title(tenant), "create", after={"state": CURRENT, "data": redacted(1)}), _never))
        return
    if home is None or isinstance(home, OpsError):
        plan.verdict, plan.message = "failed", home.message if home is not None else f"the credentials of {tenant.id} were not read"
        return
    if home.state != CURRENT and tenant.id not in wanted.ready:
        plan.verdict, plan.message = "skipped", _NOT_READY
        return
    copy = dataclasses.replace(_fitted(home, wanted), state=CURRENT)
    plan.observed["credentials"] = {"generation": copy.generation, "state": CURRENT}
    if live is not None:
        _update(plan, live, copy, wanted)
        return
    body = _body(tenant, copy, wanted)
    change = Change(_title(tenant), "create", after={"state": CURRENT, "data": dict.fromkeys(body["stringData"], redacted(copy.generation))})
    plan.steps.append(Step(change, lambda client: _create(client, body)))


def redacted(generation: int) -> str:
    """What stands for a value in diffs."""
    return f"<redacted, generation {generation}>"


def _title(tenant: Tenant) -> str:
    return title(SECRET, {"metadata": {"namespace": tenant.namespace, "name": SECRET_NAME}})


def _fitted(credentials: TenantCredentials, wanted: Wanted) -> TenantCredentials:
    return credentials if wanted.neo4j_isolation else dataclasses.replace(credentials, neo4j_password=None)


def _body(tenant: Tenant, credentials: TenantCredentials, wanted: Wanted) -> Object:
    return secret(tenant, credentials, wanted.endpoints)


def _read(plan: TenantPlan, live: Object | None, region: str) -> TenantCredentials | None:
    """The credentials, or None with the reason as the tenant's verdict."""
    try:
        return parse(plan.tenant, live, region)
    except WrongHomeError as error:
        plan.verdict, plan.message = "refused", error.message
        plan.steps.clear()
    except OpsError as error:
        plan.verdict, plan.message = "failed", error.message
    return None


def _check_home(plan: TenantPlan, live: Object, region: str) -> bool:
    home = (live["metadata"].get("annotations") or {}).get(ANNOTATION_HOME)
    if home == plan.tenant.region:
        return True
    error = WrongHomeError.of(plan.tenant, home, region)
    plan.verdict, plan.message = "refused", error.message
    plan.steps.clear()
    return False


def _generate(tenant: Tenant, wanted: Wanted) -> Callable[[KubernetesClient], None]:
    def write(client: KubernetesClient) -> None:
        try:
            _create(client, _body(tenant, generate(tenant, wanted.neo4j_isolation), wanted))
        except AlreadyExists:
            # Another run, or our own attempt whose answer got lost. What is there is what counts, if it is sound.
            parse(tenant, client.get(SECRET, tenant.namespace, SECRET_NAME), wanted.region)

    return write


def _create(client: KubernetesClient, body: Object) -> None:
    client.create(SECRET, body["metadata"]["namespace"], body)


def _never(_client: KubernetesClient) -> None:
    raise OpsError("this step belongs to a check and writes nothing")


def _update(
    plan: TenantPlan, live: Object | None, credentials: TenantCredentials, wanted: Wanted, at_last: Callable[[], TenantCredentials] | None = None
) -> None:
    """Plan a merge patch of what differs. ``at_last`` gives the credentials to write where they are generated only then."""
    if live is None:
        return
    tenant = plan.tenant
    patch = _patch(live, _body(tenant, credentials, wanted))
    if not patch:
        return
    names = [f"{part}.{key}" for part, values in patch.items() for key in values]
    metadata = live["metadata"]
    held = {"labels": metadata.get("labels") or {}, "annotations": metadata.get("annotations") or {}, "data": live.get("data") or {}}
    hidden = redacted(credentials.generation)
    before = {f"{part}.{key}": hidden if part == "data" and key in held[part] else held[part].get(key) for part, values in patch.items() for key in values}
    after = {f"{part}.{key}": hidden if part == "data" and value is not None else value for part, values in patch.items() for key, value in values.items()}

    def write(client: KubernetesClient) -> None:
        final = patch if at_last is None else _patch(live, _body(tenant, at_last(), wanted))
        identity = {"resourceVersion": metadata["resourceVersion"], "uid": metadata["uid"]}
        body: Object = {"metadata": {**identity, **{part: final[part] for part in ("labels", "annotations") if part in final}}}
        if "data" in final:
            body["data"] = final["data"]
        client.merge(SECRET, tenant.namespace, SECRET_NAME, body)

    plan.steps.append(Step(Change(_title(tenant), "update", names, before, after), write))


def _patch(live: Object, body: Object) -> dict[str, dict[str, Any]]:
    """What differs, as the parts of a merge patch: values to set, None for keys that were ours and are no longer declared."""
    metadata = live["metadata"]
    data = {key: base64.b64encode(value.encode()).decode() for key, value in body["stringData"].items()}
    ours = {field[2:] for field in owned(live, MANAGED_BY, "Update").get("f:data") or {} if field.startswith("f:")}
    present = live.get("data") or {}
    parts = {
        "labels": _differing(metadata.get("labels") or {}, body["metadata"]["labels"]),
        "annotations": _differing(metadata.get("annotations") or {}, body["metadata"]["annotations"]),
        "data": {**_differing(present, data), **dict.fromkeys(sorted((ours & present.keys()) - data.keys()))},
    }
    return {part: values for part, values in parts.items() if values}


def _differing(present: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if present.get(key) != value}
