# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments that all tenants_<system> modules share, and what they mean. Documented by the fragment leanvibe.ops.tenants.

A module's main() is then no more than::

    module = AnsibleModule(argument_spec=argument_spec(connection=CONNECTION), supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, check_mode=module.check_mode))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)

with ``run`` in the system's file, which starts with ``request = TenantsRequest.from_params(params)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.errors import InvalidInput
from .model import Tenant, Tier

# Documented by leanvibe.ops.connection_kubernetes.
KUBERNETES_CONNECTION: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
}

_LEASE: dict[str, Any] = {
    "type": "dict",
    "options": {
        "registry": {
            "type": "dict",
            "required": True,
            "options": {
                "host": {"type": "str", "required": True},
                "port": {"type": "int", "default": 5432},
                "database": {"type": "str", "required": True},
                "username": {"type": "str", "required": True},
                "password": {"type": "str", "no_log": True},
                "sslmode": {"type": "str", "default": "verify-full", "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"]},
                "sslrootcert": {"type": "path"},
            },
        },
        "name": {"type": "str", "required": True},
        "owner": {"type": "str", "required": True},
        # A fencing token: a number that orders owners, no secret.
        "token": {"type": "int", "required": True, "no_log": False},
    },
}


def argument_spec(connection: Mapping[str, Any] | None, *, secrets: bool = True, **extra: Mapping[str, Any]) -> dict[str, Any]:
    """Put a module's argument spec together.

    ``connection`` holds the suboptions of the module's own ``connection`` (None: the module has no such argument), ``extra`` its further arguments.
    ``secrets=False`` leaves out where tenants' Secrets are read.
    """
    spec: dict[str, Any] = {
        "region": {"type": "str", "required": True},
        "tenants": {"type": "list", "elements": "dict", "required": True},
        "declared_ids": {"type": "list", "elements": "str"},
        "tiers": {"type": "dict", "required": True},
        "lease": _LEASE,
        "concurrency": {"type": "int", "default": 16},
        "timeout": {"type": "int", "default": 10},
    }
    if secrets:
        spec["secrets"] = {"type": "dict", "default": {}, "no_log": False}  # holds paths of kubeconfigs, no secret
    if connection is not None:
        spec["connection"] = {"type": "dict", "required": True, "options": dict(connection)}
    spec.update(extra)
    return spec


@dataclass(frozen=True)
class TenantsRequest:
    """What every call on one system and region is about, read from a module's parameters."""

    region: str
    tenants: tuple[Tenant, ...]
    declared_ids: frozenset[str]
    tiers: Mapping[str, Tier]
    secrets: Mapping[str, Mapping[str, Any]]
    concurrency: int
    timeout: int

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> TenantsRequest:
        """Read and check module parameters. Raises InvalidInput with every problem."""
        tiers = {str(name): Tier(str(name), data) for name, data in params["tiers"].items() if isinstance(data, Mapping)}
        tenants: list[Tenant] = []
        problems = [f"{name} must be at least 1, not {params[name]}" for name in ("concurrency", "timeout") if params[name] < 1]
        for data in params["tenants"]:
            try:
                tenant = Tenant.from_mapping(data)
            except KeyError as error:
                problems.append(f"tenant {data.get('id', '(without id)')!r}: {error.args[0]} is missing")
            except ValueError as error:
                problems.append(str(error))
            else:
                tenants.append(tenant)
                if tenant.tier not in tiers:
                    problems.append(f"tenant {tenant.id}: tier {tenant.tier!r} is not in tiers ({', '.join(sorted(tiers)) or 'empty'})")
        given = Counter(tenant.id for tenant in tenants)
        problems += [f"tenant {tenant_id}: given more than once" for tenant_id, times in given.items() if times > 1]
        if problems:
            raise InvalidInput(f"arguments for {params['region']}", problems)
        declared = params.get("declared_ids")
        return cls(
            region=str(params["region"]),
            tenants=tuple(tenants),
            declared_ids=frozenset(declared if declared is not None else ()) | {tenant.id for tenant in tenants},
            tiers=tiers,
            secrets=params.get("secrets") or {},
            concurrency=int(params["concurrency"]),
            timeout=int(params["timeout"]),
        )

    def limits(self, tenant: Tenant, system: str) -> Mapping[str, Any]:
        """The limits of a tenant in a system: its tier's, and over them the declaration's ``overrides.quotas.<system>``.

        Mappings are merged key by key, so that ``quotas: {kubernetes: {quota: {pods: "80"}}}`` changes only the number of pods.
        Raises KeyError if the tiers file has no section for the system.
        """
        quotas = tenant.overrides.get("quotas") or {}
        return _merged(self.tiers[tenant.tier].section(system), quotas.get(system) or {})


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        merged[key] = _merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged
