# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bare clients send for a group of tenants: the requests of our modules, in their order, built beforehand by the modules' own code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from . import parts
from .modules import Module
from .settings import PRIMARY, BenchmarkError, Settings
from .state import kubernetes as kubernetes_state

Tenants = list[dict[str, Any]]
Request = list[Any]
Stage = dict[str, Any]

AGENT = "leanvibe.ops"
_MARKS = {"leanvibe.ai/credentials-generation": "1", "leanvibe.ai/credentials-state": "pending"}
_JSON = {"Accept": "application/json", "User-Agent": AGENT}


def kubernetes(settings: Settings, call: Module, tenants: Tenants) -> list[Stage]:
    """Phase prepare: a list for each kind, then for each tenant all its objects by server-side apply and its Secret by POST."""
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants import credentials
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.arguments import TenantsRequest
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import LABEL_MANAGED_BY, MANAGED_BY
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.secret_store import selector
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import kubernetes_guard as guard
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import kubernetes_objects as objects
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.kubernetes_arguments import ARGUMENTS

    request = TenantsRequest.from_params({**call.parameters, "tenants": tenants, "concurrency": settings.concurrency, "timeout": 60})
    # Modules fill their defaults in when they run.
    network = objects.Network.from_params(ArgumentSpecValidator(ARGUMENTS["network"]["options"]).validate(call.parameters["network"]).validated_parameters)
    endpoints = call.parameters["application_endpoints"][PRIMARY]
    # Kinds that a selector narrows, those of the platform, and Namespaces and Secrets, which are read whole.
    narrowed, ours = {"labelSelector": selector(request.tenants)}, {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"}
    lists = [(resource, narrowed) for resource in objects.IN_NAMESPACE] + [(kind, ours) for kind in (guard.POLICY, guard.BINDING)]
    lists += [(objects.NAMESPACE, {}), (objects.SECRET, {"fieldSelector": f"metadata.name={credentials.SECRET_NAME}"})]
    reads = [[["GET", f"{resource.path()}?{urlencode({'limit': 2000, **query})}", _JSON, None]] for resource, query in lists]
    sequences = []
    for tenant in request.tenants:
        sequence: list[Request] = []
        for resource, body in objects.declared(tenant, request.limits(tenant, "kubernetes"), network):
            target = f"{resource.path(body['metadata'].get('namespace'), body['metadata']['name'])}?fieldManager={AGENT}&force=true"
            sequence.append(["PATCH", target, {**_JSON, "Content-Type": "application/apply-patch+yaml"}, json.dumps(body)])
        secret = objects.secret(tenant, credentials.generate(tenant, with_neo4j=False), endpoints)
        sequence.append(
            ["POST", f"{objects.SECRET.path(tenant.namespace)}?fieldManager={AGENT}", {**_JSON, "Content-Type": "application/json"}, json.dumps(secret)]
        )
        sequences.append(sequence)
    return [parts.kubernetes_stage(settings, sequences=reads), parts.kubernetes_stage(settings, sequences=sequences)] if tenants else []


def kubernetes_finish(settings: Settings, call: Module, tenants: Tenants) -> list[Stage]:
    """Phase finish in the home region: all Secrets read, then each marked current by a merge patch of the version that was read."""
    if not tenants:
        return []
    query = urlencode({"limit": 2000, "fieldSelector": "metadata.name=tenant-credentials"})
    marked = {"metadata": {"annotations": {"leanvibe.ai/credentials-state": "current"}}}
    target = f"/api/v1/namespaces/{{namespace}}/secrets/tenant-credentials?fieldManager={AGENT}"
    patch = ["PATCH", target, {**_JSON, "Content-Type": "application/merge-patch+json"}, None]
    patches = {f"tenant-{tenant['id']}": marked for tenant in tenants}
    return [parts.kubernetes_stage(settings, list=["GET", f"/api/v1/secrets?{query}", _JSON, None], patch=patch, patches=patches)]


def _secrets(settings: Settings, tenants: Tenants) -> tuple[list[Stage], Mapping[str, Mapping[str, str]]]:
    """The request that reads the tenants' Secrets, as every module but Kubernetes' sends it, and what they hold."""
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.secret_store import selector

    query = urlencode(
        {"limit": 2000, "labelSelector": selector(Tenant.from_mapping(tenant) for tenant in tenants), "fieldSelector": "metadata.name=tenant-credentials"}
    )
    stage = parts.kubernetes_stage(settings, sequences=[[["GET", f"/api/v1/secrets?{query}", _JSON, None]]])
    return [stage], kubernetes_state.secrets(settings, PRIMARY, [tenant["id"] for tenant in tenants])


def redis(settings: Settings, call: Module, tenants: Tenants) -> list[Stage]:
    """Reads in one pipeline, then all users and saving the file in one transaction."""
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients.redis import connect
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import redis as system
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.redis_acl import command_rules, password_hash, pattern_rules

    if not tenants:
        return []
    first, held = _secrets(settings, tenants)
    address = call.parameters["connection"]
    reads: list[list[str]] = [["PING"]]
    with connect(address, 10) as session:
        send = session.pipeline

        def note(commands: Sequence[Sequence[str | int]]) -> Any:
            reads.extend([str(word) for word in command] for command in commands)
            return send(commands)

        session.pipeline = note  # type: ignore[method-assign]
        commands = system.observe(session, frozenset()).commands
    writes = []
    for tenant in map(Tenant.from_mapping, tenants):
        password = unquote(urlsplit(held[tenant.id]["REDIS_URL"]).password or "")
        rules = ["reset", "on", "sanitize-payload", *pattern_rules(tenant.redis_prefix), *command_rules(commands), f"#{password_hash(password)}"]
        writes.append(["ACL", "SETUSER", tenant.redis_user, *rules])
    sequences = [reads, [["MULTI"], *writes, ["ACL", "DELUSER", system.UNSAVED_MARK], ["ACL", "SAVE"], ["EXEC"]]]
    access = {name: address[name] for name in ("host", "port", "username", "password")}
    return [*first, {"kind": "redis", **access, "sequences": sequences}]


def object_store(settings: Settings, call: Module, tenants: Tenants) -> list[Stage]:
    """Reads of accounts and owners, then for each tenant its account, its bucket, versioning and policy."""
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.object_store_policy import bucket_policy

    if not tenants:
        return []
    first, held = _secrets(settings, tenants)
    connection = call.parameters["connection"]
    sign = {"access_key": connection["access_key"], "secret_key": connection["secret_key"], "region": connection["region"]}
    common = {"kind": "http", "url": connection["endpoint"], "ca_file": connection["ca_file"], "sign": sign}
    versions = '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
    sequences = []
    for tenant in tenants:
        bucket, secret = f"tenant-{tenant['id']}", held[tenant["id"]]
        access = secret["S3_ACCESS_KEY_ID"]
        account = (
            f"<Account><Access>{access}</Access><Secret>{secret['S3_SECRET_ACCESS_KEY']}</Secret><Role>user</Role>"
            "<UserID>0</UserID><GroupID>0</GroupID><ProjectID>0</ProjectID></Account>"
        )
        policy = json.dumps(bucket_policy(bucket, [access], active=True, deny_in_clear=False), separators=(",", ":"))
        sequences.append(
            [
                ["PATCH", "/create-user", {}, account],
                ["PUT", f"/{quote(bucket)}", {"x-amz-object-ownership": "BucketOwnerEnforced"}, None],
                ["PUT", f"/{quote(bucket)}?versioning=", {}, versions],
                ["PUT", f"/{quote(bucket)}?policy=", {}, policy],
            ]
        )
    reads = {**common, "concurrency": 1, "sequences": [[["PATCH", "/list-users", {}, None], ["PATCH", "/list-buckets", {}, None]]]}
    return [*first, reads, {**common, "concurrency": settings.concurrency, "sequences": sequences}]


class _Recorder:
    """A session that notes what is executed on it."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.statements: list[Request] = []

    def execute(self, statement: Any, parameters: Any = None) -> Any:
        """Note and pass on."""
        self.statements.append([statement if isinstance(statement, str) else statement.as_string(self.session), parameters])
        return self.session.execute(statement, parameters)


def postgresql(settings: Settings, call: Module, tenants: Tenants) -> list[Stage]:
    """The module's reads, taken down while its own code reads, then for each tenant one transaction, which is one request."""
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients import postgresql as client
    from ansible_collections.leanvibe.ops.plugins.module_utils.common import scram
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.arguments import TenantsRequest
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import from_secret
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import postgresql as system
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import postgresql_state as state
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.postgresql_driver import driver
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.postgresql_plan import plan
    from psycopg import sql

    if not tenants:
        return []
    first, held = _secrets(settings, tenants)
    connection = call.parameters["connection"]
    request = TenantsRequest.from_params({**call.parameters, "tenants": tenants, "concurrency": settings.concurrency, "timeout": 10})
    chosen = driver(connection["driver"])
    sequences = []
    with client.connect(connection, 10) as session:
        recorder = _Recorder(session)
        actual = state.observe(recorder, chosen, [tenant.database_name for tenant in request.tenants], False)  # type: ignore[arg-type]
        for tenant in request.tenants:
            item = plan(tenant, request.limits(tenant, "postgresql"), from_secret(held[tenant.id], _MARKS), actual, chosen)
            if item.verdict != "succeeded" or item.password is None:
                raise BenchmarkError(f"PostgreSQL is not ready for {tenant.id}: {item.message or 'its role is there already'}")
            verifier = scram.verifier(item.password)
            name = tenant.database_name
            password = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
            note = sql.SQL("UPDATE leanvibe_private.tenant_roles SET credential_proof = {} WHERE role_name = {}")
            proof = note.format(sql.Literal(chosen.proof(item.password, verifier)), sql.Literal(name))
            sequences.append([[sql.SQL("; ").join([*item.statements, password, proof]).as_string(session), None]])
    where = {"host": connection["host"], "port": connection["port"], "dbname": connection["database"], "user": connection["username"]}
    where |= {name: connection[name] for name in ("password", "sslmode", "sslrootcert")}
    common = {"kind": "postgresql", "connection": where}
    limit = min(settings.concurrency, system.SESSIONS)
    return [
        *first,
        {**common, "concurrency": 1, "transaction": False, "sequences": [recorder.statements]},
        {**common, "concurrency": limit, "transaction": True, "sequences": sequences},
    ]


def neo4j(settings: Settings, call: Module, tenants: Tenants) -> list[Stage]:
    """Edition, constraints, indexes and nodes, then all nodes in one statement. (The schema is there: it is the platform's.)"""
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.neo4j_community import properties

    if not tenants:
        return []
    rows = [{"id": tenant.id, "properties": properties(tenant)} for tenant in map(Tenant.from_mapping, tenants)]
    ids = [tenant["id"] for tenant in tenants]
    statements: list[tuple[str, dict[str, Any]]] = [
        ("CALL dbms.components() YIELD name, versions, edition RETURN versions[0] AS version, edition", {}),
        ("SHOW CONSTRAINTS YIELD name, type, labelsOrTypes, properties", {}),
        ("SHOW INDEXES YIELD name, type, labelsOrTypes, properties", {}),
        ("MATCH (t:Tenant) WHERE t.id IN $ids OR t.managed_by = 'leanvibe.ops' RETURN t.id AS id, properties(t) AS properties", {"ids": ids}),
        ("UNWIND $rows AS row MERGE (t:Tenant {id: row.id}) SET t += row.properties", {"rows": rows}),
    ]
    connection = call.parameters["connection"]
    access = {"uri": connection["uri"], "username": connection["username"], "password": connection["password"]}
    return [{"kind": "neo4j", **access, "sequences": [[[text, parameters, "neo4j"] for text, parameters in statements]]}]


# In this order: systems need the Secrets of prepare, finish comes after them.
BUILDERS: dict[str, Callable[[Settings, Module, Tenants], list[Stage]]] = {
    "kubernetes prepare": kubernetes,
    "postgresql": postgresql,
    "redis": redis,
    "object_store": object_store,
    "neo4j": neo4j,
    "kubernetes finish": kubernetes_finish,
}
