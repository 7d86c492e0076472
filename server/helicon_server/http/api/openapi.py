"""The OpenAPI 3.1 document, generated from the endpoints and models that serve the requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from .dispatch import PREFIX
from .endpoint import TEXT, Endpoint, Query

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
_EVERYWHERE = (HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE)
_PATH_PARAMETERS = {
    "environment": "Name of the environment, such as DEV; case does not count.",
    "app": "Id of the app.",
    "cluster": "Name of the cluster; `default` always exists.",
    "namespace": "Name of the namespace with its suffix, such as application or routes.json.",
    "access_key": "Id of an access key.",
    "branch": "Name of the gray branch.",
    "key": "Key of the item, percent-encoded.",
    "release": "Id of the release.",
    "name": "Name of the token.",
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem document. `code` is stable; further members depend on it.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
    },
}


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The whole document as plain data."""
    refs, schemas = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = PREFIX + _PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, refs, schemas)
    used = {name: schema for name, schema in schemas.items() if name not in _query_names(endpoints)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Helicon management API",
            "version": version,
            "description": "Edit, publish and govern configuration. Errors are problem documents with a stable code.",
        },
        "paths": paths,
        "components": {
            "schemas": {**used, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "A management token."}},
        },
    }


_Refs = dict[tuple[type[BaseModel], JsonSchemaMode], dict[str, Any]]


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[_Refs, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for endpoint in endpoints:
        if isinstance(endpoint.input, type):
            wanted[endpoint.input, "validation"] = None
        if isinstance(endpoint.output, type):
            wanted[endpoint.output, "serialization"] = None
    refs, definitions = models_json_schema(list(wanted), ref_template=_REF, schema_generator=GenerateJsonSchema)
    return dict(refs), definitions["$defs"]  # type: ignore[arg-type]  # pydantic types the keys invariantly


def _query_names(endpoints: Sequence[Endpoint]) -> set[str]:
    return {e.input.__name__ for e in endpoints if isinstance(e.input, type) and issubclass(e.input, Query)}


def _operation(endpoint: Endpoint, refs: _Refs, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "tags": [endpoint.handler.__module__.rpartition(".")[2]],
        "parameters": _parameters(endpoint, schemas),
        "responses": _responses(endpoint, refs),
    }
    if endpoint.right is not None:
        operation["security"] = [{"token": []}]
        operation["x-helicon-right"] = endpoint.right.value
    if endpoint.input == TEXT:
        operation["requestBody"] = {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}
    elif isinstance(endpoint.input, type) and not issubclass(endpoint.input, Query):
        schema = refs[endpoint.input, "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _parameters(endpoint: Endpoint, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": {"type": "string"},
        }
        for name, _ in _PARAMETER.findall(endpoint.path)
    ]
    if isinstance(endpoint.input, type) and issubclass(endpoint.input, Query):
        for name, schema in schemas[endpoint.input.__name__]["properties"].items():
            described = {"description": schema["description"]} if "description" in schema else {}
            found.append({"name": name, "in": "query", "required": False, "schema": schema, **described})
    if endpoint.needs_revision:
        found.append(
            _header(
                "If-Match", required=True, description=f"The revision of the {endpoint.revised} that the caller saw."
            )
        )
    if endpoint.idempotent:
        found.append(
            _header("Idempotency-Key", required=False, description="A repeated request with it changes nothing.")
        )
    return found


def _header(name: str, *, required: bool, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


def _responses(endpoint: Endpoint, refs: _Refs) -> dict[str, Any]:
    success: dict[str, Any] = {"description": endpoint.status.phrase}
    if endpoint.output == TEXT:
        success["content"] = {"text/plain": {"schema": {"type": "string"}}}
    elif isinstance(endpoint.output, type):
        success["content"] = {"application/json": {"schema": refs[endpoint.output, "serialization"]}}
    responses = {str(endpoint.status.value): success}
    for also in endpoint.also:
        responses[str(also.value)] = {**success, "description": also.phrase}
    refused = {*_EVERYWHERE, *endpoint.refusals}
    if endpoint.right is not None:
        refused |= {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    if endpoint.needs_revision:
        refused.add(HTTPStatus.PRECONDITION_REQUIRED)
    if endpoint.input is not None and endpoint.method != "GET":
        refused |= {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
    for status in sorted(refused):
        responses[str(status.value)] = {
            "description": status.phrase,
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
    return responses
