"""Settings and schemas, as they are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sheratan.cli.root import root
from sheratan.contracts.journal import ENTRY_TYPES
from sheratan.contracts.methods import METHODS
from sheratan.contracts.workflows import Node
from sheratan.settings import setting_names
from tests.support import Server, run_cli

KINDS = "tests.cli.sample_kinds"


def test_every_setting_is_shown_with_its_origin(tmp_path: Path) -> None:
    (tmp_path / "sheratan.toml").write_text("drain_seconds = 3\n[worker]\nslots = 4\n", "utf-8")
    done = run_cli(
        "config", "show", "--origin", "-o", "json", cwd=tmp_path, env={"SHERATAN_WORKER__SLOTS": "5"}
    )
    shown = {one["name"]: one for one in json.loads(done.stdout)}
    assert list(shown) == [name for name in setting_names() if ".NAME." not in name]
    assert (shown["worker.slots"]["value"], shown["worker.slots"]["origin"]) == (
        5,
        "environment SHERATAN_WORKER__SLOTS",
    )
    assert shown["drain_seconds"]["origin"] == f"file {tmp_path / 'sheratan.toml'}"
    assert shown["worker.threads"]["origin"] == "default"
    assert all(one["reason"] for one in shown.values())


def test_a_flag_goes_before_the_environment(tmp_path: Path) -> None:
    done = run_cli("config", "show", "--origin", "--data", "here", "-o", "jsonl", data=tmp_path)
    first = json.loads(done.stdout.splitlines()[0])
    assert (first["name"], first["value"], first["origin"]) == ("data", "here", "flag")


def test_every_listing_in_pages_shows_one_or_all() -> None:
    context = click.Context(root)
    top = [root.get_command(context, name) for name in root.list_commands(context)]
    listings = 0
    for command in (
        one for group in top if isinstance(group, click.Group) for one in group.commands.values()
    ):
        options = {name for one in command.params for name in one.opts}
        if "--cursor" in options:
            listings += 1
            assert {"--limit", "--all"} <= options, command.name
    assert listings >= 7


def test_the_schemas_of_a_running_server_hold_its_kinds(server: Server) -> None:
    done = server.cli("schema", "export", "-o", "json")
    schemas = json.loads(done.stdout)
    assert done.stderr == ""
    assert set(METHODS) == set(schemas["api"]["x-methods"])
    assert schemas["journal"]["$defs"]["Entry"]["properties"]["type"]["examples"] == list(ENTRY_TYPES)
    assert schemas["kinds/add"]["properties"]["input"]["properties"]["left"]["type"] == "integer"
    assert set(schemas["workflow"]["$defs"]["Node"]["properties"]) == set(Node.__struct_fields__)
    assert all(found["$schema"].endswith("2020-12/schema") for found in schemas.values())
    assert dangling(schemas) == []


def test_without_a_server_it_says_that_the_kinds_are_missing(tmp_path: Path) -> None:
    done = run_cli("schema", "export", "-o", "jsonl", data=tmp_path)
    assert done.returncode == 0
    names = [json.loads(line)["name"] for line in done.stdout.splitlines()]
    assert names == ["api", "journal", "settings", "workflow"]
    assert "without the schemas of kinds" in done.stderr


def test_schemas_are_written_as_files_with_the_kinds_of_a_module(tmp_path: Path) -> None:
    done = run_cli("schema", "export", "--kinds", KINDS, "--output", str(tmp_path / "schemas"))
    assert (done.returncode, done.stdout) == (0, "")
    written = {
        path.relative_to(tmp_path / "schemas").as_posix() for path in (tmp_path / "schemas").rglob("*.json")
    }
    assert {
        "api.json",
        "journal.json",
        "settings.json",
        "workflow.json",
        "kinds/add.json",
        "kinds/fail.json",
    } <= written


def test_a_module_that_does_not_load_is_refused_by_name(tmp_path: Path) -> None:
    done = run_cli("schema", "export", "--kinds", "no_such_module", cwd=tmp_path)
    assert done.returncode == 2
    assert "error: --kinds: kinds of module no_such_module failed to load: ModuleNotFoundError" in done.stderr


def dangling(schemas: dict[str, Any]) -> list[str]:
    """References to definitions that are not there. Kinds are left out: their parts have roots of their own."""
    found: list[str] = []
    for name, schema in schemas.items():
        if name.startswith("kinds/"):
            continue
        wanted = references(schema)
        found += [
            reference for reference in wanted if reference.removeprefix("#/$defs/") not in schema["$defs"]
        ]
    return found


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    if isinstance(value, list):
        return set().union(*map(references, value))
    return set()
