"""Workflows in files: what one declares, and where in it a mistake is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.workflows import Workflow
from sheratan.sdk.workflow_file import WORKFLOW_CHARACTERS_MAX, dump_workflow, load_workflow, read_workflow
from tests.kernel.declared import GRAPHS, workflow

YAML = """\
format: sheratan.workflow/1
name: audit
nodes:
  - name: list
    kind: files.list
    input: {folder: "${input.folder}"}
  - name: scan
    kind: files.scan
    for_each: ${list.output.files}
    when:
      is: not
      of: {value: "${input.mode}", is: equals, other: "no"}
budget: {jobs_max: 50}
"""

DECLARED = workflow(
    {"name": "list", "kind": "files.list", "input": {"folder": "${input.folder}"}},
    {
        "name": "scan",
        "kind": "files.scan",
        "for_each": "${list.output.files}",
        "when": {"is": "not", "of": {"is": "equals", "value": "${input.mode}", "other": "no"}},
    },
    name="audit",
    budget={"jobs_max": 50},
)


def test_yaml_and_json_declare_the_same() -> None:
    assert load_workflow(YAML, "yaml").workflow == DECLARED
    assert load_workflow(dump_workflow(DECLARED), "json").workflow == DECLARED


@given(GRAPHS)
def test_what_is_written_is_read_again_in_both_languages(declared: Workflow) -> None:
    text = dump_workflow(declared)
    assert load_workflow(text, "json").workflow == declared
    assert load_workflow(text, "yaml").workflow == declared


@pytest.mark.parametrize(
    ("wrong", "right", "field", "said"),
    [
        ("kind: files.list", "kindd: files.list", "w.yaml:4: nodes/0", "unknown field `kindd`"),
        ("name: scan", "name: 5", "w.yaml:7: nodes/1/name", "Expected `str`, got `int`"),
        ("jobs_max: 50", "jobs_max: 0", "w.yaml:13: budget/jobs_max", "`int` >= 1"),
        ("is: not", "is: nor", "w.yaml:11: nodes/1/when/is", "Invalid value 'nor'"),
        ("value: ", "values: ", "w.yaml:12: nodes/1/when/of", "unknown field `values`"),
        ("format: sheratan.workflow/1\n", "", "w.yaml:1", "missing required field `format`"),
        ("jobs_max: 50", "jobs_max: .inf", "w.yaml:13: budget/jobs_max", "Infinity"),
        ('"${input.folder}"', "no", "w.yaml:6", "no is text for YAML 1.2"),
    ],
)
def test_a_mistake_in_yaml_is_named_by_line_and_field(wrong: str, right: str, field: str, said: str) -> None:
    assert YAML.count(wrong) == 1
    with pytest.raises(InvalidInput) as refused:
        load_workflow(YAML.replace(wrong, right), "yaml", source="w.yaml")
    assert refused.value.field == field
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ('{"a": 1,\n "b": }', "w.json:2", "not valid JSON"),
        ('{"a": {"b": 1, "b": 2}}', "w.json", "key 'b' appears twice"),
        ('{"a": NaN}', "w.json: a", "NaN"),
        ('{"a": 1e999}', "w.json: a", "Infinity"),
        ("[" * 200_000, "w.json", "not valid JSON"),
        ("[" * 150 + "]" * 150, "w.json: " + "/".join(["0"] * 100), "nested deeper"),
        ('{"format": "sheratan.workflow/1", "name": "a", "nodes": [{"name": "a", "after": [1]}]}',
         "w.json: nodes/0/after/0", "Expected `str`"),
    ],
)  # fmt: skip
def test_a_mistake_in_json_is_named_by_field(text: str, field: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_workflow(text, "json", source="w.json")
    assert refused.value.field == field
    assert said in refused.value.detail


def test_a_file_knows_where_its_fields_are() -> None:
    found = load_workflow(YAML, "yaml", source="w.yaml")
    assert found.place("nodes/1/for_each") == "w.yaml:9: nodes/1/for_each"
    assert found.place("nodes/1/compensate/input") == "w.yaml:7: nodes/1/compensate/input"
    assert found.place("output") == "w.yaml:1: output"
    assert load_workflow(dump_workflow(DECLARED), "json", source="w.json").place("output") == "w.json: output"


def test_a_file_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "w.yml").write_text(YAML, "utf-8")
    (tmp_path / "w.JSON").write_text(dump_workflow(DECLARED), "utf-8")
    assert read_workflow(tmp_path / "w.yml").workflow == DECLARED
    assert read_workflow(str(tmp_path / "w.JSON")).workflow == DECLARED
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe\xfd")
    (tmp_path / "w.toml").write_text("", "utf-8")
    for name in ("none.yaml", "latin.yaml", "w.toml"):
        with pytest.raises(InvalidInput) as refused:
            read_workflow(tmp_path / name)
        assert refused.value.field == str(tmp_path / name)


def test_a_file_has_a_bound() -> None:
    with pytest.raises(TooLarge):
        load_workflow(YAML + "#" * WORKFLOW_CHARACTERS_MAX, "yaml")
