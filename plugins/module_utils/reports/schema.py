# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema (2020-12) of reports. docs/schemas/report-v1.json is this, written out; a test holds the two together."""

from __future__ import annotations

from typing import Any

from .model import ACTION_VERDICTS, CHECK_VERDICTS, OK, PARTIAL, SCHEMA, SKIPPED

_TIME = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}
_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_TENANT_IDS = {"type": "array", "items": {"type": "string", "pattern": "^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"}, "uniqueItems": True}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | (optional or {})}


def _counts(verdicts: tuple[str, ...]) -> dict[str, Any]:
    return _object(dict.fromkeys((*verdicts, SKIPPED), _COUNT)) | {"additionalProperties": False}


_DAYS = {"type": ["number", "null"]}
_FINDINGS = [verdict for verdict in CHECK_VERDICTS if verdict != OK]

_CHECK_ITEM = _object(
    {
        "id": {"type": "string", "minLength": 1},
        "subject": {"type": "string", "minLength": 1},
        "verdict": {"enum": [*CHECK_VERDICTS, SKIPPED]},
        "observed": {},
        "unit": _TEXT_OR_NULL,
        "threshold": {"type": ["object", "null"]},
        "message": _TEXT,
        "evidence": _TEXT_OR_NULL,
        "runbook": _TEXT_OR_NULL,
        "tenants": _TENANT_IDS,
        "since": {"anyOf": [_TIME, {"type": "null"}]},
    },
    {
        "query": _TEXT,
        "status": {"enum": ["new", "worse", "open"]},
        "waiver": _object({"verdict": {"enum": _FINDINGS}, "reason": _TEXT, "owner": _TEXT, "expires": {"type": "string", "format": "date"}}),
        "trend": {"type": "array", "items": {"type": ["number", "null"]}},
        "forecast": _object({"days": _DAYS, "earliest": _DAYS, "latest": _DAYS, "points": _COUNT, "estimator": _TEXT, "reason": _TEXT}),
    },
)
_CHANGE = _object({"object": _TEXT, "action": {"enum": ["create", "update", "delete"]}}, {"fields": {"type": "array", "items": _TEXT}})
_ACTION_ITEM = _object(
    {
        "id": {"type": "string", "minLength": 1},
        "subject": {"type": "string", "minLength": 1},
        "verdict": {"enum": [*ACTION_VERDICTS, SKIPPED]},
        "changed": {"type": "boolean"},
        "message": _TEXT,
        "tenants": _TENANT_IDS,
    },
    {"changes": {"type": "array", "items": _CHANGE}, "evidence": _TEXT},
)
# What was skipped, refused or has failed says why.
_SAYS_WHY = {
    "if": {"properties": {"verdict": {"enum": ["skipped", "refused", "failed", "unknown", "critical", "degraded"]}}},
    "then": {"properties": {"message": {"minLength": 1}}},
}
_KNOWN = _object({"id": _TEXT, "subject": _TEXT, "verdict": {"enum": _FINDINGS}, "since": _TIME})
_HEALTH = _object(
    {
        "profile": _TEXT,
        "checks": _object({"executed": _COUNT, "skipped": _COUNT, "could_not_run": _COUNT}),
        "failed": {"type": "boolean"},
        "decision": _TEXT,
        "compared_with": {"anyOf": [_TIME, {"type": "null"}]},
        "resolved": {"type": "array", "items": _KNOWN},
        "unseen": {"type": "array", "items": _KNOWN},
        "changes": {
            "type": "array",
            "items": _object({"at": _TIME, "what": _TEXT}, {"where": _TEXT, "who": _TEXT, "before": {"type": "array", "items": _TEXT}}),
        },
        "runs": {"type": "array", "items": _object({"started": _TIME, "verdict": {"enum": list(CHECK_VERDICTS)}})},
        "questions": {"type": "object", "additionalProperties": _TEXT},
    }
)
_TENANT = _object({"id": _TEXT, "name": _TEXT, "tier": _TEXT, "region": _TEXT, "state": _TEXT})

_RANKED = _object(
    {
        "rank": {"type": "integer", "minimum": 1},
        "id": _TEXT,
        "subject": _TEXT,
        "verdict": {"enum": _FINDINGS},
        "effect": {"type": ["number", "null"]},
        "unit": {"enum": ["s/h", "%", None]},
        "phase": _TEXT,
        "message": _TEXT,
        "evidence": _TEXT_OR_NULL,
        "tenants": _TENANT_IDS,
        "runbook": _TEXT_OR_NULL,
        "query": _TEXT_OR_NULL,
    }
)
_DIAGNOSIS = _object(
    {
        "tenant": _TEXT_OR_NULL,
        "areas": {
            "type": "array",
            "minItems": 5,
            "maxItems": 5,
            "items": _object({"area": _TEXT, "verdict": {"enum": list(CHECK_VERDICTS)}, "message": _TEXT}),
        },
        "units": {"type": "object", "additionalProperties": _TEXT},
        "ranking": {"type": "array", "items": _RANKED},
        "plan": {
            "type": "array",
            "minItems": 3,
            "maxItems": 3,
            "items": _object({"phase": _TEXT, "when": _TEXT, "findings": {"type": "array", "items": {"type": "integer", "minimum": 1}, "uniqueItems": True}}),
        },
    }
)


def report_schema() -> dict[str, Any]:
    """The schema, as a document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        "title": "Report of an operation",
        **_object(
            {
                "schema": {"const": SCHEMA},
                "operation": {"type": "string", "pattern": "^[a-z][a-z_]*$"},
                "environment": {"type": "string", "minLength": 1},
                "regions": {"type": "array", "items": _TEXT},
                "run_id": {"type": "string", "minLength": 1},
                "check_mode": {"type": "boolean"},
                "started": _TIME,
                "finished": _TIME,
                "verdict": {"enum": [*CHECK_VERDICTS, *ACTION_VERDICTS, PARTIAL]},
                "counts": {"type": "object"},
                "items": {"type": "array", "items": {"type": "object"}},
            },
            {"notes": {"type": "array", "items": _TEXT}, "tenants": {"type": "array", "items": _TENANT}, "health": _HEALTH, "diagnosis": _DIAGNOSIS},
        ),
        "if": {"properties": {"verdict": {"enum": list(CHECK_VERDICTS)}}},
        "then": {"properties": {"counts": _counts(CHECK_VERDICTS), "items": {"items": {"allOf": [_CHECK_ITEM, _SAYS_WHY]}}}},
        "else": {"properties": {"counts": _counts(ACTION_VERDICTS), "items": {"items": {"allOf": [_ACTION_ITEM, _SAYS_WHY]}}}},
    }
