"""The contracts as JSON Schema 2020-12, generated from the types that the program itself uses."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, get_args, get_origin

import msgspec

from sheratan.contracts.code import versioned
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.journal import ENTRY_TYPES, Entry
from sheratan.contracts.methods import METHODS, STREAMS
from sheratan.contracts.wire import AnswerFrame, RequestFrame
from sheratan.contracts.workflows import Workflow
from sheratan.settings import Settings

__all__ = ["api_schema", "journal_schema", "kind_schema", "settings_schema", "workflow_schema"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_BASE: Final = "urn:sheratan:schema"


def api_schema() -> dict[str, Any]:
    """Frames, and in `x-methods` and `x-streams` each method with its request and its answer."""
    table = METHODS | STREAMS
    types = [part for pair in table.values() for part in pair]
    found, definitions = _components([RequestFrame, AnswerFrame, *types])
    frames, parts = found[:2], iter(found[2:])
    methods = {name: {"request": next(parts), "answer": next(parts)} for name in table}
    return {
        "$schema": _DIALECT,
        "$id": f"{_BASE}:api:1",
        "title": "The API of Sheratan over its local socket: one frame per line",
        "oneOf": frames,
        "x-methods": {name: methods[name] for name in METHODS},
        "x-streams": {name: methods[name] for name in STREAMS},
        "$defs": definitions,
    }


def journal_schema() -> dict[str, Any]:
    """An entry of the journal."""
    (entry,), definitions = _components([Entry])
    # Open for readers: a later release may add entry types.
    definitions["Entry"]["properties"]["type"]["examples"] = list(ENTRY_TYPES)
    return {"$schema": _DIALECT, "$id": f"{_BASE}:journal:1", **entry, "$defs": definitions}


def settings_schema() -> dict[str, Any]:
    """The settings, as in sheratan.toml; there, `data` has a default."""
    (settings,), definitions = _components([Settings])
    definitions["Settings"].pop("required", None)
    return {"$schema": _DIALECT, "$id": f"{_BASE}:settings:1", **settings, "$defs": definitions}


def workflow_schema() -> dict[str, Any]:
    """A workflow as a file declares it, for editors and other programs."""
    (workflow,), definitions = _components([Workflow])
    return {"$schema": _DIALECT, "$id": f"{_BASE}:workflow:1", **workflow, "$defs": definitions}


def kind_schema(kind: KindDescription) -> dict[str, Any]:
    """A kind: its input and output, each a schema of its own with its own definitions."""
    named_as = versioned(kind.name, kind.version)
    parts = {"input": kind.input_schema, "output": kind.output_schema}
    named = {name: {"$id": f"{_BASE}:kind:{named_as}:{name}", **part} for name, part in parts.items()}
    return {
        "$schema": _DIALECT,
        "$id": f"{_BASE}:kind:{named_as}",
        "title": named_as,
        "description": kind.description,
        "type": "object",
        "properties": named,
    }


def _components(types: list[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found, definitions = msgspec.json.schema_components(map(_plain, types), ref_template="#/$defs/{name}")
    return list(found), definitions


def _plain(found: Any) -> Any:
    """The type, with any JSON value in place of raw bytes: msgspec cannot write a raw default into a schema."""
    if get_origin(found) is list:
        return list[_plain(get_args(found)[0])]  # type: ignore[misc]
    return _plain_struct(found) if isinstance(found, type) and issubclass(found, msgspec.Struct) else found


@cache
def _plain_struct(found: type[msgspec.Struct]) -> type[msgspec.Struct]:
    fields = msgspec.structs.fields(found)
    if not any(type(field.default) is msgspec.Raw for field in fields):
        return found
    plain = [
        (field.name, Any, msgspec.json.decode(field.default)) if field.type is msgspec.Raw
        # Required fields come first, and all are written by name.
        else (field.name, field.type) if field.required
        else (field.name, field.type, field.default)
        for field in fields
    ]  # fmt: skip
    strict = found.__struct_config__.forbid_unknown_fields
    return msgspec.defstruct(
        found.__name__,
        plain,
        namespace={"__doc__": found.__doc__},
        kw_only=True,
        forbid_unknown_fields=strict,
    )
