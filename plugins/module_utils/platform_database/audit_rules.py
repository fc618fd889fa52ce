# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that keep tenants apart in the shared tables, as a pure judgement of what audit.py read. docs/isolation-postgresql.md gives the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .names import (
    APPLICATION,
    CENSUS,
    CENSUS_FUNCTION,
    CENSUS_POLICY,
    GATE,
    HEALTH,
    HEARTBEAT,
    HEARTBEAT_TABLE,
    MIGRATIONS,
    MONITOR,
    OPERATIONS,
    OPERATIONS_POLICY,
    OWNER,
    POLICIES,
    PRIVATE,
    SCHEMAS,
    SHARED,
    TABLES,
    TENANT_COLUMN,
    TENANT_PREFIX,
    TENANTS,
)

Grants = frozenset[tuple[str, str]]
PUBLIC = "PUBLIC"
BOUND = (PUBLIC, APPLICATION, TENANTS, GATE)  # those who are kept to one tenant's rows
ROW_RIGHTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
# TRUNCATE ignores row-level security; REFERENCES and TRIGGER let somebody probe or see rows. schema -> role -> rights that it may have.
ALLOWED: Mapping[str, Mapping[str, frozenset[str]]] = {
    TABLES: {APPLICATION: ROW_RIGHTS, GATE: ROW_RIGHTS, OPERATIONS: ROW_RIGHTS, CENSUS: frozenset({"SELECT"})},
    SHARED: {TENANTS: ROW_RIGHTS},
    PRIVATE: {OPERATIONS: ROW_RIGHTS},
}
SCHEMA_USERS: Mapping[str, frozenset[str]] = {
    TABLES: frozenset({APPLICATION, GATE, OPERATIONS}),
    SHARED: frozenset({TENANTS}),
    PRIVATE: frozenset({OPERATIONS}),
}
# Of one table only.
WRITERS: Mapping[str, Mapping[str, frozenset[str]]] = {HEARTBEAT_TABLE: {HEARTBEAT: frozenset({"SELECT", "INSERT", "UPDATE"})}}
SESSION_TENANT = "SELECT r.tenant_id FROM leanvibe_private.tenant_roles AS r WHERE r.role_name = session_user"
# How many rows each tenant has in a shared table, in a share of its pages; nothing else comes out of it, whatever it is called with.
TENANT_ROWS = """
BEGIN
    IF percent < 100 THEN
        RETURN QUERY EXECUTE format('SELECT t.tenant_id, count(*) FROM leanvibe.%I AS t TABLESAMPLE SYSTEM ($1) GROUP BY t.tenant_id', shared_table)
            USING percent;
    ELSE
        RETURN QUERY EXECUTE format('SELECT t.tenant_id, count(*) FROM leanvibe.%I AS t GROUP BY t.tenant_id', shared_table);
    END IF;
END
"""
SAFE_PATH = "search_path=pg_catalog, pg_temp"
# What a tenant may set in its session must not change, or print, the plans behind its views.
PINS = frozenset({SAFE_PATH, "row_security=on", "enable_seqscan=off", "enable_indexscan=on", "debug_print_plan=off", "client_min_messages=warning"})
KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table", "S": "sequence"}


@dataclass(frozen=True)
class Finding:
    """One protection that is missing: rule (stable, for tests and reports), the object, and what is wrong with the way out."""

    rule: str
    object: str
    message: str

    def to_mapping(self) -> dict[str, str]:
        """For results and reports."""
        return {"rule": self.rule, "object": self.object, "message": self.message}


@dataclass(frozen=True)
class Relation:
    """A table, view or sequence outside of tenants' own schemas. ``tenant_column``: whether tenant_id is NOT NULL, None if there is none."""

    schema: str
    name: str
    kind: str
    owner: str
    row_security: bool
    forced: bool
    options: Sequence[str]
    tenant_column: bool | None
    grants: Grants

    @property
    def object(self) -> str:
        """Its full name."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Policy:
    """One row-level security policy. ``command``: ``*`` or one of r, a, w, d."""

    schema: str
    table: str
    name: str
    permissive: bool
    command: str
    roles: Sequence[str]
    using: str | None
    check: str | None


@dataclass(frozen=True)
class Constraint:
    """A foreign key (``columns`` as here=there) or something unique."""

    kind: str
    schema: str
    table: str
    target: str
    name: str
    columns: Sequence[str]


@dataclass(frozen=True)
class Function:
    """A function that runs with its owner's rights, or lives in one of our schemas."""

    schema: str
    name: str
    owner: str
    definer: bool
    settings: Sequence[str]
    source: str
    grants: Grants


@dataclass(frozen=True)
class Schema:
    """A schema that is no tenant's."""

    name: str
    owner: str
    grants: Grants


@dataclass(frozen=True)
class Role:
    """A role of the platform, or one that owns something."""

    name: str
    superuser: bool
    bypass: bool
    login: bool
    create_role: bool
    create_database: bool
    replication: bool
    member_of: Sequence[str]


@dataclass(frozen=True)
class Evidence:
    """All that the rules look at."""

    relations: Sequence[Relation]
    policies: Sequence[Policy]
    constraints: Sequence[Constraint]
    functions: Sequence[Function]
    schemas: Sequence[Schema]
    roles: Mapping[str, Role]
    database_grants: Grants
    exemptions: Mapping[tuple[str, str], str]
    census: frozenset[tuple[str, str, str]] = frozenset()


def judge(evidence: Evidence) -> list[Finding]:
    """Every missing protection, sorted. Pure. Empty means that all hold."""
    rules = (_roles, _schemas, _relations, _policies, _constraints, _functions, _census)
    return sorted({finding for rule in rules for finding in rule(evidence)}, key=lambda finding: (finding.rule, finding.object, finding.message))


def _roles(evidence: Evidence) -> Iterator[Finding]:
    # Without the role that counts rows nobody counts them, which is no hole.
    for name in (OWNER, APPLICATION, TENANTS, GATE, *(name for name in (CENSUS,) if name in evidence.roles)):
        role = evidence.roles.get(name)
        if role is None:
            yield Finding("role-missing", name, "the role does not exist; run the role leanvibe.ops.platform_database")
            continue
        if role.superuser or role.bypass:
            yield Finding("role-bypasses", name, f"has SUPERUSER or BYPASSRLS: row-level security does not bind it; ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS")
        powers = [word for word, has in (("CREATEROLE", role.create_role), ("CREATEDB", role.create_database), ("REPLICATION", role.replication)) if has]
        if powers:
            yield Finding("role-powers", name, f"has {', '.join(powers)}, which it must not have")
        if role.login and name != APPLICATION:
            yield Finding("role-login", name, "can log in, but is a group or an owner only; ALTER ROLE … NOLOGIN")
    allowed = {APPLICATION: set(), TENANTS: set(), GATE: {TENANTS}, OWNER: {GATE}, CENSUS: set()}
    for name, groups in allowed.items():
        # A tenant may admit others to its own role: that gives away its own rights only, and is taken back when the tenant is reconciled.
        found = {group for group in (evidence.roles[name].member_of if name in evidence.roles else ()) if not group.startswith(TENANT_PREFIX)}
        for group in sorted(found - groups):
            yield Finding("role-member", name, f"is a member of {group} and has its rights; REVOKE {group} FROM {name}")


def _schemas(evidence: Evidence) -> Iterator[Finding]:
    for schema in evidence.schemas:
        users = SCHEMA_USERS.get(schema.name, frozenset())
        for grantee, right in sorted(schema.grants):
            if right == "CREATE" and grantee in BOUND:
                yield Finding("schema-create", schema.name, f"{grantee} may create objects in it, which others could run into; REVOKE CREATE")
            elif right == "USAGE" and grantee in BOUND and grantee not in users:
                yield Finding("schema-usage", schema.name, f"{grantee} may look into it; REVOKE USAGE")
        if schema.name in SCHEMAS and schema.owner != OWNER:
            yield Finding("owner", schema.name, f"is owned by {schema.owner}, not {OWNER}")
    for grantee, right in sorted(evidence.database_grants):
        if grantee == PUBLIC or (grantee in BOUND and right != "CONNECT"):
            yield Finding("database-grant", "database", f"{grantee} has {right} on it; REVOKE it")


def _relations(evidence: Evidence) -> Iterator[Finding]:
    for relation in evidence.relations:
        yield from _grants(relation)
        if relation.schema not in SCHEMAS:
            continue
        if relation.owner != OWNER:
            yield Finding("owner", relation.object, f"is owned by {relation.owner}, not {OWNER}, whom row-level security binds")
        if relation.kind == "v" and not {"security_invoker=true", "security_invoker=on", "security_invoker=1"} & set(relation.options):
            yield Finding("view-definer", relation.object, "reads with its owner's rights; ALTER VIEW … SET (security_invoker = true)")
        exempt = ("table", relation.object) in evidence.exemptions
        if relation.kind in ("m", "f") and relation.schema != PRIVATE and not exempt:
            yield Finding("unprotectable", relation.object, f"is a {KINDS[relation.kind]}, which has no row-level security of its own")
        if relation.kind in ("r", "p") and relation.schema == SHARED:
            yield Finding("unprotectable", relation.object, "is a table; only views belong here")
        if relation.kind in ("r", "p") and relation.schema == TABLES:
            yield from _table(relation, exempt)


def _table(relation: Relation, exempt: bool) -> Iterator[Finding]:
    if relation.tenant_column is None:
        if not exempt:
            yield Finding("no-tenant", relation.object, f"has no column {TENANT_COLUMN} and is not in {PRIVATE}.exemptions: whose are its rows?")
        return
    if not relation.tenant_column:
        yield Finding("tenant-null", relation.object, f"{TENANT_COLUMN} may be NULL: such a row is nobody's; SET NOT NULL")
    if not relation.row_security:
        yield Finding("rls-disabled", relation.object, "policies have no effect: ALTER TABLE … ENABLE ROW LEVEL SECURITY")
    if not relation.forced:
        yield Finding("rls-not-forced", relation.object, "does not bind its owner: ALTER TABLE … FORCE ROW LEVEL SECURITY")


def _grants(relation: Relation) -> Iterator[Finding]:
    allowed = {**ALLOWED.get(relation.schema, {}), **WRITERS.get(relation.object, {})}
    others = (OWNER, MIGRATIONS, MONITOR)
    for grantee, right in sorted(relation.grants):
        if grantee in allowed:
            if right not in allowed[grantee]:
                yield Finding("grant", relation.object, f"{grantee} has {right} on it, which row-level security does not narrow down; REVOKE it")
        elif grantee in BOUND or (relation.schema in SCHEMAS and grantee not in others):
            yield Finding("grant", relation.object, f"{grantee} has {right} on it, which it must not have; REVOKE it")


def _policies(evidence: Evidence) -> Iterator[Finding]:
    found: dict[tuple[str, str], Policy] = {(f"{policy.schema}.{policy.table}", policy.name): policy for policy in evidence.policies}
    wanted = dict(POLICIES)
    for relation in evidence.relations:
        if relation.schema != TABLES or relation.kind not in ("r", "p") or relation.tenant_column is None:
            continue
        for name, (role, rule) in wanted.items():
            policy = found.pop((relation.object, name), None)
            if policy is None:
                yield Finding("policy-missing", relation.object, f"has no policy {name} for {role}")
            else:
                yield from _differences(relation.object, policy, role, rule)
        name, (role, rule) = CENSUS_POLICY
        if (policy := found.pop((relation.object, name), None)) is not None:
            yield from _differences(relation.object, policy, role, rule, "r")
        name, (role, rule) = OPERATIONS_POLICY
        if ("policy", f"{relation.object}.{name}") in evidence.exemptions and (policy := found.pop((relation.object, name), None)) is not None:
            yield from _differences(relation.object, policy, role, rule)
    for (table, name), policy in found.items():
        # A restrictive policy can only take away.
        if policy.permissive:
            yield Finding("policy-extra", table, f"policy {name} lets more rows through; DROP POLICY it, or make it restrictive")


def _differences(table: str, policy: Policy, role: str, rule: str, command: str = "*") -> Iterator[Finding]:
    written = None if command == "r" else rule
    if list(policy.roles) != [role]:
        yield Finding("policy-role", table, f"policy {policy.name} is for {', '.join(policy.roles)}, not {role}")
    if not policy.permissive or policy.command != command:
        wanted = "all commands" if command == "*" else "SELECT only"
        yield Finding("policy-command", table, f"policy {policy.name} is not a permissive one for {wanted}")
    if policy.using != rule:
        yield Finding("policy-using", table, f"policy {policy.name} lets other rows be seen: USING {policy.using}")
    if policy.check != written:
        yield Finding("policy-check", table, f"policy {policy.name} lets other rows be written: WITH CHECK {policy.check}")


def _constraints(evidence: Evidence) -> Iterator[Finding]:
    tenants = {relation.object for relation in evidence.relations if relation.schema == TABLES and relation.tenant_column is not None}
    for constraint in evidence.constraints:
        table = f"{constraint.schema}.{constraint.table}"
        if table not in tenants:
            if constraint.kind == "reference" and constraint.target in tenants:
                yield Finding("reference", table, f"{constraint.name} refers to {constraint.target}: rows without a tenant may not point into one")
            continue
        if constraint.kind == "reference" and f"{TENANT_COLUMN}={TENANT_COLUMN}" not in constraint.columns:
            if ("reference", f"{table} -> {constraint.target}") not in evidence.exemptions:
                message = f"{constraint.name} refers to {constraint.target} without {TENANT_COLUMN} on both sides: a row could point to another tenant's"
                yield Finding("reference", table, message)
        elif constraint.kind == "index" and TENANT_COLUMN not in constraint.columns and ("index", f"{table}.{constraint.name}") not in evidence.exemptions:
            yield Finding(
                "unique", table, f"{constraint.name} is unique over all tenants: a tenant could find out which values others have; add {TENANT_COLUMN}"
            )


def _functions(evidence: Evidence) -> Iterator[Finding]:
    names = {f"{function.schema}.{function.name}": function for function in evidence.functions}
    identity = names.get(f"{PRIVATE}.session_tenant")
    if identity is None or identity.source.strip() != SESSION_TENANT or identity.owner != OWNER:
        yield Finding(
            "identity", f"{PRIVATE}.session_tenant", "does not say which tenant the session's role is, the way it was made; run the migrations that make it"
        )
    for function in evidence.functions:
        name = f"{function.schema}.{function.name}"
        callers = sorted({grantee for grantee, _right in function.grants} & set(BOUND))
        if not function.definer or not callers:
            continue
        owner = evidence.roles.get(function.owner)
        if owner is None or owner.superuser or owner.bypass or owner.name == MIGRATIONS:
            yield Finding("function-owner", name, f"runs as {function.owner}, whom row-level security does not bind, for {', '.join(callers)}")
        if SAFE_PATH not in function.settings:
            yield Finding("function-path", name, "runs with its owner's rights on its caller's search_path; SET search_path = pg_catalog, pg_temp")
        gate = function.schema == PRIVATE and function.owner == GATE
        if gate and not set(function.settings) >= PINS:
            missing = ", ".join(sorted(PINS - set(function.settings)))
            yield Finding("function-pins", name, f"its caller's settings reach its plans (lacks {missing}): they would tell how many rows others have")
        if not gate and ("function", name) not in evidence.exemptions:
            yield Finding("function-definer", name, f"runs with the rights of {function.owner} for {', '.join(callers)} and is not in {PRIVATE}.exemptions")


def _census(evidence: Evidence) -> Iterator[Finding]:
    """The one role that gets past row-level security without being an administrator: what keeps it to counting."""
    for relation, column, right in sorted(evidence.census):
        if column != TENANT_COLUMN or right != "SELECT" or not relation.startswith(f"{TABLES}."):
            message = f"{CENSUS}, who sees every tenant's rows, has {right} on {column or 'all of it'}: it may have SELECT on {TENANT_COLUMN} only; REVOKE it"
            yield Finding("census-right", relation, message)
    for role in evidence.roles.values():
        # Who makes roles may admit himself to any of them.
        if CENSUS in role.member_of and role.name != MIGRATIONS and not (role.superuser or role.create_role):
            yield Finding("census-member", role.name, f"is a member of {CENSUS} and sees what it sees; REVOKE {CENSUS} FROM {role.name}")
    for function in evidence.functions:
        if function.owner != CENSUS:
            continue
        name = f"{function.schema}.{function.name}"
        if name != CENSUS_FUNCTION or not function.definer or function.source.strip() != TENANT_ROWS.strip() or SAFE_PATH not in function.settings:
            yield Finding("census-function", name, f"runs as {CENSUS} and is not the function that counts, the way it was made; DROP FUNCTION it")
        for grantee in sorted({grantee for grantee, _right in function.grants} - {HEALTH}):
            yield Finding("census-caller", name, f"{grantee} may learn from it how many rows every tenant has; REVOKE EXECUTE … FROM {grantee}")
