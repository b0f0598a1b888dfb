"""`sheratan schema`: JSON Schemas of everything that crosses a border."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from sheratan.cli.output import encode, talk, write
from sheratan.cli.reach import ask, request
from sheratan.cli.schemas import api_schema, journal_schema, kind_schema, settings_schema, workflow_schema
from sheratan.cli.session import Session, command_options
from sheratan.contracts import api
from sheratan.contracts.code import versioned
from sheratan.contracts.errors import InvalidInput, SheratanError
from sheratan.contracts.jobs import KindDescription

__all__ = ["schema"]


@click.group()
def schema() -> None:
    """Publish the contracts."""


@schema.command()
@click.option("--output", "folder", metavar="DIR", help="Write one file per schema here instead of stdout.")
@click.option("--kinds", multiple=True, metavar="MODULE", help="Also the kinds of this module (repeatable).")
@command_options
def export(session: Session, folder: str | None, kinds: tuple[str, ...]) -> None:
    """Export JSON Schemas (2020-12) of the API, the journal, the settings, workflow files and the kinds.

    The kinds are those of --kinds or, without it, those of the running server.
    """
    schemas: dict[str, Any] = {
        "api": api_schema(),
        "journal": journal_schema(),
        "settings": settings_schema(),
        "workflow": workflow_schema(),
    }
    for kind in _kinds(session, kinds):
        schemas[f"kinds/{versioned(kind.name, kind.version)}"] = kind_schema(kind)
    if folder is not None:
        _write_files(Path(folder), schemas)
    elif session.output == "jsonl":
        for name, found in schemas.items():
            write(msgspec.json.encode({"name": name, "schema": found}) + b"\n")
    else:
        write(encode(schemas) + b"\n")


def _kinds(session: Session, modules: tuple[str, ...]) -> list[KindDescription]:
    if modules:
        kinds, problems = session.program.describe_kinds(modules)
        if problems:
            raise InvalidInput("; ".join(problems), field="--kinds")
        return kinds
    try:
        found: list[KindDescription] = ask(session, lambda transport: transport.call(request(api.ListKinds)))
    except SheratanError as error:
        talk(f"without the schemas of kinds: {error.detail}")
        return []
    return found


def _write_files(folder: Path, schemas: dict[str, Any]) -> None:
    for name, found in schemas.items():
        path = folder / f"{name}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(found) + b"\n")
        except OSError as error:
            raise InvalidInput(f"{path} cannot be written: {error.strerror}", field="--output") from error
        talk(f"wrote {path}")
