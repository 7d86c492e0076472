"""Holds answers to the OpenAPI document: is the status described, and does the body fit its schema?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

STABLE_MEMBERS = {"type": str, "title": str, "status": int, "detail": str, "code": str, "request_id": str}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}
_KNOWN_WORDS = {
    "$ref", "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "title",
    "description", "format",
}  # fmt: skip


class Conformance:
    """Checks every answer of the API against the document that the server itself publishes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._operations = [
            (
                re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)).replace(r"items/[^/]+", r"items/.+")),
                operations,
            )
            for path, operations in document["paths"].items()
        ]

    def check(self, answer: httpx.Response) -> None:
        """Raises AssertionError when an answer is not as the document says; paths that it does not list pass."""
        request = answer.request
        shown = f"{request.method} {request.url.path} → {answer.status_code} {answer.text[:300]}"
        if answer.status_code >= 400:
            self._check_problem(answer, shown)
        operation = self._operation(request)
        if operation is None:
            return
        described = operation["responses"].get(str(answer.status_code))
        assert described is not None, f"no such status in the OpenAPI document: {shown}"
        content = described.get("content", {})
        if request.method == "HEAD" or not content:
            assert not answer.content, f"a body where the document has none: {shown}"
            return
        media = answer.headers["content-type"].partition(";")[0]
        assert media in content, f"not a media type of the document: {media}: {shown}"
        if media.endswith("json"):
            faults = list(self._faults(answer.json(), content[media]["schema"], "$"))
            assert not faults, f"{shown}: {faults}"

    def _check_problem(self, answer: httpx.Response, shown: str) -> None:
        """Every refusal is a problem document with the stable members, whatever else it holds (RFC 9457)."""
        assert answer.headers["content-type"] == "application/problem+json", shown
        assert answer.headers["cache-control"] == "no-store", shown
        if answer.request.method == "HEAD":
            return
        body = answer.json()
        for name, type_ in STABLE_MEMBERS.items():
            assert isinstance(body.get(name), type_), f"{name} in {shown}"
        assert body["status"] == answer.status_code, shown
        assert body["type"] == f"urn:helicon:problem:{body['code']}", shown
        assert body["request_id"] == answer.headers["x-request-id"], shown

    def _operation(self, request: httpx.Request) -> Mapping[str, Any] | None:
        path = request.url.raw_path.decode().partition("?")[0]
        method = "get" if request.method == "HEAD" else request.method.lower()
        for pattern, operations in self._operations:
            if method in operations and pattern.fullmatch(path):
                operation: Mapping[str, Any] = operations[method]
                return operation
        return None

    def _faults(self, value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
        """Yields where ``value`` does not fit; knows the words of JSON Schema that our document uses, and no others."""
        unknown = set(schema) - _KNOWN_WORDS
        assert not unknown, f"teach this check the words {unknown} at {at}"
        if "$ref" in schema:
            assert set(schema) <= {"$ref", "description"}, f"teach this check the words beside $ref at {at}"
            yield from self._faults(value, self._document["components"]["schemas"][schema["$ref"].split("/")[-1]], at)
            return
        if "anyOf" in schema:
            options = [list(self._faults(value, option, at)) for option in schema["anyOf"]]
            if all(options):
                yield f"{at}: none of {options}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: {value!r} is not of {schema['enum']}"
        if "type" in schema:
            fits = isinstance(value, _TYPES[schema["type"]])
            if not fits or (schema["type"] in ("integer", "number") and isinstance(value, bool)):
                yield f"{at}: {value!r} is no {schema['type']}"
                return
        if isinstance(value, list):
            for number, each in enumerate(value):
                yield from self._faults(each, schema.get("items", {}), f"{at}[{number}]")
        if isinstance(value, dict):
            yield from self._object_faults(value, schema, at)

    def _object_faults(self, value: dict[str, Any], schema: Mapping[str, Any], at: str) -> Iterator[str]:
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{at}.{name} is missing"
        others = schema.get("additionalProperties", True)
        for name, each in value.items():
            if name in properties:
                yield from self._faults(each, properties[name], f"{at}.{name}")
            elif others is False:
                yield f"{at}.{name} is not in the document"
            elif isinstance(others, dict):
                yield from self._faults(each, others, f"{at}.{name}")
