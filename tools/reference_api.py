"""The page about the API, from the schemas that `sheratan schema export` publishes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import Any

from sheratan.cli.schemas import api_schema
from sheratan.contracts.methods import METHODS, STREAMS


def api_page() -> Iterable[str]:
    """The parts of the page."""
    schema = api_schema()
    definitions: dict[str, Any] = schema["$defs"]
    yield (
        "A client writes one `RequestFrame` per line to `sheratan.sock` in the data directory and reads one"
        " `AnswerFrame` per line; answers carry the request's `id` and may come in any order. The same methods serve"
        " a client within the process. `sheratan schema export` publishes this page as JSON Schema."
    )
    for title, methods, table in (("Methods", METHODS, "x-methods"), ("Streams", STREAMS, "x-streams")):
        yield f"## {title}"
        rows = [
            f"| `{name}` | {_type(parts['request'])} | {_type(parts['answer'])} | {_purpose(methods[name][0])} |"
            for name, parts in schema[table].items()
        ]
        yield "\n".join(["| Method | Request | Answer | What it does |", "| --- | --- | --- | --- |", *rows])
    yield "## Types"
    for name in sorted(definitions):
        yield from _definition(name, definitions[name])


def _definition(name: str, schema: dict[str, Any]) -> Iterable[str]:
    yield f"### {name}"
    if "description" in schema:
        yield str(schema["description"])
    properties: dict[str, Any] = schema.get("properties", {})
    if not properties:
        yield "No fields."
        return
    required = set(schema.get("required", ()))
    rows = [
        f"| `{key}` | {_type(part)} | {_default(key, part, required)} |" for key, part in properties.items()
    ]
    yield "\n".join(["| Field | Type | Default |", "| --- | --- | --- |", *rows])


def _default(key: str, part: dict[str, Any], required: set[str]) -> str:
    return "required" if key in required else f"`{json.dumps(part.get('default'))}`"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items') or {})}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> str:
    words = {
        "minimum": "≥",
        "maximum": "≤",
        "exclusiveMinimum": ">",
        "minLength": "length ≥",
        "maxLength": "length ≤",
    }
    bounds = [f"{word} {schema[key]:g}" for key, word in words.items() if key in schema]
    return ", ".join([schema.get("type", "any JSON value"), *bounds])


def _purpose(request: type[Any]) -> str:
    return (inspect.getdoc(request) or "").replace("\n", " ").replace("|", "\\|")
