"""Workflows as files, in JSON or YAML. What a file declares and what `WorkflowBuilder` makes are the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.misfits import in_words, path_of
from sheratan.contracts.values import check_json
from sheratan.contracts.workflows import Workflow, as_declared
from sheratan.sdk.yaml_text import YamlValue, parse_yaml

__all__ = ["WORKFLOW_CHARACTERS_MAX", "WorkflowFile", "dump_workflow", "load_workflow", "read_workflow"]

Language = Literal["json", "yaml"]

WORKFLOW_CHARACTERS_MAX: Final = 1 << 19
"""500 for each of a thousand nodes, read in a few seconds at worst; data belongs in the workflow's input."""

_LANGUAGES: Final[dict[str, Language]] = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}


class WorkflowFile(NamedTuple):
    """A workflow, where it came from, and the line of each field, as far as the language tells it."""

    workflow: Workflow
    source: str
    lines: dict[str, int]

    def place(self, field: str) -> str:
        """Where a field such as `nodes/3/after/0` is in the file: `audit.yaml:12: nodes/3/after/0`."""
        return _place(self.source, self.lines, field)


def read_workflow(path: Path | str) -> WorkflowFile:
    """The workflow in a file; its name tells the language. InvalidInput names the file and, in YAML, the line."""
    path = Path(path)
    language = _LANGUAGES.get(path.suffix.lower())
    if language is None:
        raise InvalidInput(f"name it {', '.join(_LANGUAGES)}, as what is in it", field=str(path))
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot be read: {error}", field=str(path)) from error
    return load_workflow(text, language, source=str(path))


def load_workflow(text: str, language: Language, *, source: str = "workflow") -> WorkflowFile:
    """The workflow that a text declares. InvalidInput names the source and, in YAML, the line."""
    if len(text) > WORKFLOW_CHARACTERS_MAX:
        raise TooLarge(f"{len(text)} characters, {WORKFLOW_CHARACTERS_MAX} at most", field=source)
    value, lines = parse_yaml(text, source=source) if language == "yaml" else _parse_json(text, source)
    try:
        check_json(value)
        return WorkflowFile(msgspec.convert(value, Workflow), source, lines)
    except InvalidInput as error:
        field = (error.field or "").lstrip("/")
        raise InvalidInput(error.detail, field=_place(source, lines, field)) from error
    except msgspec.ValidationError as error:
        message, path = path_of(error)
        field = re.sub(r"\[(\d+|\.\.\.)\]|\.", r"/\1", path).lstrip("/")
        raise InvalidInput(in_words(message, path, Workflow), field=_place(source, lines, field)) from error


def dump_workflow(workflow: Workflow) -> str:
    """A workflow as JSON text that `load_workflow` reads; what is as by default is left out."""
    return json.dumps(as_declared(workflow), indent=2, ensure_ascii=False) + "\n"


def _parse_json(text: str, source: str) -> YamlValue:
    try:
        return YamlValue(json.loads(text, object_pairs_hook=_without_duplicates), {})
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not valid JSON: {error.msg}", field=f"{source}:{error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"not valid JSON: {error}", field=source) from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise ValueError(f"key {twice!r} appears twice")
    return found


def _place(source: str, lines: dict[str, int], field: str) -> str:
    """The source, the line of the field or else of what it would be in, and the field."""
    known = field
    while known not in lines and known:
        known = known.rpartition("/")[0]
    line = f":{lines[known]}" if known in lines else ""
    return f"{source}{line}: {field}" if field else f"{source}{line}"
