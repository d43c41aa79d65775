"""The OpenAPI document of the HTTP API, made of the view model, so that it cannot lag behind.

dataclasses ──schema──► components     ROUTES ──document──► openapi.json
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from eco_dask.dashboard import model
from eco_dask.dashboard.http.base import EVERYBODY, ApiHandler

_PLAIN: Final = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Any: {},
}
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[!-~]{1,200}$"}
_AT_S: Final = {"type": "number", "minimum": 0, "maximum": 10_000_000_000}


def document(version: str, routes: Mapping[str, tuple[type[ApiHandler], str]]) -> dict[str, Any]:
    """Return the document for ``routes``: path, handler and what it answers with."""
    schemas: dict[str, Any] = {"Error": _object({"error": {"type": "string"}})}
    paths = {}
    for path, (handler, answers) in routes.items():
        method = "post" if "post" in vars(handler) else "get"
        paths[path] = {method: _operation(path, handler, method, answers, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "eco_dask",
            "version": version,
            "description": "A coordinator's network, jobs, points and energy. null is unknown. "
            "mpt: thousandths of a point; uj: microjoules; _g and gco2e: grams; _at_s: Unix time "
            "in seconds. Tokens come from `eco-dask token new --scope SCOPE`.",
        },
        "servers": [{"url": "/eco/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(
    path: str, handler: type[ApiHandler], method: str, answers: str, schemas: dict[str, Any]
) -> dict[str, Any]:
    named = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT} for name in named
    ] + [{"name": name, "in": "query", "schema": PARAMETERS[name]} for name in handler.parameters]
    kind = "text/event-stream" if answers == "Events" else "application/json"
    content = {} if answers == "Events" else _answer(answers, schemas)
    public = handler.audience == EVERYBODY
    errors = {"400": "A parameter is wrong", "401": "The token is missing or opens nothing"}
    errors |= {} if public else {"403": "The token's scope does not open this"}
    if named or "after" in handler.parameters:
        errors["404"] = "There is no such thing, or not the end of the page before"
    errors |= {"503": "The coordinator is starting, or too many watch"}
    return {
        "operationId": handler.__name__,
        "summary": (handler.__doc__ or "").splitlines()[0],
        "parameters": parameters,
        "security": [{"token": []}, *([{}] if public else [])],
        "responses": {
            "200": {"description": "As asked", "content": {kind: {"schema": content}}},
            **({"304": {"description": "What If-None-Match names"}} if method == "get" else {}),
            **{status: _error(told) for status, told in errors.items()},
        },
    }


PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 200},
    "after": _TEXT,
    "owner": _TEXT,
    "provider": _TEXT,
    "job": _TEXT,
    "state": {"type": "string", "enum": list(get_args(model.JobState))},
    "since": _AT_S,
    "until": _AT_S,
    "points": {"type": "integer", "minimum": 2, "maximum": 2000},
}
_RECEIPT_TEXTS: Final = (
    "lease", "ballot", "job", "kind", "provider", "owner", "reason", "explanation", "digest",
)  # fmt: skip
_RECEIPT: Final = {
    **{name: {"type": "string"} for name in _RECEIPT_TEXTS},
    **{name: {"type": ["number", "null"]} for name in ("cpu_s", "wall_s", "work_units")},
    "amount_mpt": {"type": "integer"},
    "issued_at_s": {"type": "number"},
    "energy": {"anyOf": [{"$ref": "#/components/schemas/EnergyFigures"}, {"type": "null"}]},
}


def _answer(name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an answer by its name: a class of the model, or one of these."""
    time_s, following = {"at_s": {"type": "number"}}, {"next": {"type": ["string", "null"]}}
    match name:
        case "Summary":
            parts = {
                name.lower(): schema(getattr(model, name), schemas)
                for name in ("Network", "Verification", "Points", "Energy")
            }
            return _object(time_s | parts)
        case "Jobs" | "Providers":
            item = schema(getattr(model, name[:-1]), schemas)
            listed = {name.lower(): {"type": "array", "items": item}}
            return _object((time_s if name == "Providers" else {}) | listed | following)
        case "Receipts":
            schema(model.EnergyFigures, schemas)
            return _object({"receipts": {"type": "array", "items": _object(_RECEIPT)}} | following)
        case "Tasks":
            item = schema(model.Kind, schemas)
            return _object(time_s | {"tasks": {"type": "array", "items": item}})
        case "Series":
            pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
            return _object(
                {
                    "name": {"type": "string"},
                    "unit": {"type": "string"},
                    "step_s": {"type": "integer"},
                    "samples": {"type": "array", "items": pair},
                }
            )
        case "Cancelled":
            return _object(
                {
                    "id": {"type": "string"},
                    "state": PARAMETERS["state"],
                    "tasks_cancelled": {"type": "integer"},
                }
            )
        case "Document":
            return {"type": "object"}
    return schema(getattr(model, name), schemas)


def schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a type; dataclasses go to ``schemas`` and are referred to."""
    if is_dataclass(kind):
        name = str(getattr(kind, "__name__", kind))
        if name not in schemas:
            schemas[name] = {}
            schemas[name] = _object({it: schema(hint, schemas) for it, hint in _hints(kind)})
        return {"$ref": f"#/components/schemas/{name}"}
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        options = [schema(it, schemas) for it in parts if it is not types.NoneType]
        return {"anyOf": [*options, {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": schema(parts[0], schemas)}
    if origin is Literal:
        return {"type": "string", "enum": list(parts)}
    if origin is not None:
        return {"type": "object", "additionalProperties": schema(parts[1], schemas)}
    return dict(_PLAIN[kind])


def _hints(kind: Any) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind)
    return [(each.name, hints[each.name]) for each in fields(kind)]


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _error(told: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": told, "content": content}
