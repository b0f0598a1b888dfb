"""What is told of a value that does not fit a contract names what may stand there."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.approvals import PrincipalName
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.jobs import Name, Partition
from sheratan.contracts.schedules import Schedule
from sheratan.contracts.values import convert
from sheratan.sdk.workflow_file import load_workflow

FLOW = "format: sheratan.workflow/1\nname: w\n"


@pytest.mark.parametrize(
    ("given", "wanted", "field", "detail"),
    [
        (
            "a b",
            Name,
            None,
            "Expected a name: letters, digits, `_`, `.` and `-`, beginning with a letter or digit",
        ),
        ("a b", Partition, None, "Expected printable ASCII characters without blanks"),
        (
            "ada",
            PrincipalName,
            None,
            "Expected the name of a person, such as local:anna, and none of a worker",
        ),
        ({"tg": "x"}, JobFilter, None, "Object contains unknown field `tg`; there are state, kind, queue, "),
        ({"state": "gone"}, JobFilter, "state", "Invalid enum value 'gone'; there are "),
        (
            {"name": "a", "zone": "/"},
            Schedule,
            "zone",
            "Expected the name of a time zone, such as Europe/Berlin",
        ),
    ],
)
def test_values(given: Any, wanted: Any, field: str | None, detail: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        convert(given, wanted)
    assert refused.value.field == field
    assert refused.value.detail.startswith(detail)


@pytest.mark.parametrize(
    ("text", "field", "detail"),
    [
        ("format: x\nname: w\n", "format", "Invalid enum value 'x'; there are sheratan.workflow/1"),
        ("nodes: [{name: a b}]", "nodes/0/name", "Expected a name: letters, digits, `_` and `-`, beginning with a l"),
        ("nodes: [{name: a, tries: 1}]", "nodes/0", "Object contains unknown field `tries`; there are name, kind, "),
        ("nodes: [{name: a, on_parent_failure: x}]", "nodes/0/on_parent_failure",
         "Invalid enum value 'x'; there are continue, fail, skip"),
        ("nodes: [{name: a, when: {is: x}}]", "nodes/0/when/is", "Invalid value 'x'; there are equals, not_equals, "),
        ("nodes: [{name: a, when: {is: not, of: {is: all, of: [{is: equals, value: 1, to: 2}]}}}]",
         "nodes/0/when/of/of/0", "Object contains unknown field `to`; there are value, other"),
        ("nodes: [{name: a}]\nbudget: {spend: {EUR: x}}", "budget/spend/...", "Expected `int`, got `str`"),
    ],
)  # fmt: skip
def test_workflow_files(text: str, field: str, detail: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_workflow(text if text.startswith("format") else FLOW + text, "yaml", source="w")
    place, _, said = (refused.value.field or "").partition(": ")
    assert (place.split(":")[0], said) == ("w", field)
    assert refused.value.detail.startswith(detail)
