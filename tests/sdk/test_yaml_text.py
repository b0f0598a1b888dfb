"""YAML is read as YAML 1.2 reads it, and what could be read in two ways is refused by line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.errors import InvalidInput
from sheratan.sdk.yaml_text import parse_yaml


def value(text: str) -> Any:
    return parse_yaml(text, source="w.yaml").value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("5", 5), ("-3", -3), ("+3", 3), ("0x1F", 31), ("0", 0), ("-0", 0),
        ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1.5e+3", 1500.0),
        ("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("text", "text"), ("'no'", "no"), ('"012"', "012"), ("y", "y"), ("1.2.3", "1.2.3"), ("a: b", {"a": "b"}),
        ("|\n  no\n  yes\n", "no\nyes\n"), (">\n  a\n  b\n", "a b\n"), ("a b\n  c", "a b c"),
        ("[a, {b: 1}]", ["a", {"b": 1}]), ('"${a.output[\\"x\\"]}"', '${a.output["x"]}'),
    ],
)  # fmt: skip
def test_values_are_read_as_in_yaml_1_2(text: str, wanted: Any) -> None:
    found = value(f"key: {text}" if not text.startswith("a:") else f"key:\n  {text}")
    assert found == {"key": wanted}
    assert type(found["key"]) is type(wanted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no", "no is text for YAML 1.2 and a truth value for YAML 1.1"),
        ("On", "On is text for YAML 1.2 and a truth value for YAML 1.1"),
        ("012", "012 is a decimal number for YAML 1.2 and an octal one for YAML 1.1"),
        ("08", "08 is an integer for YAML 1.2 and text for YAML 1.1"),
        ("0o14", "0o14 is an integer for YAML 1.2 and text for YAML 1.1"),
        ("1_000", "1_000 is text for YAML 1.2 and an integer for YAML 1.1"),
        ("12:30", "12:30 is text for YAML 1.2 and an integer for YAML 1.1"),
        ("0b11", "0b11 is text for YAML 1.2 and an integer for YAML 1.1"),
        ("1e3", "1e3 is a number for YAML 1.2 and text for YAML 1.1"),
        ("2024-01-31", "2024-01-31 is text for YAML 1.2 and an instant for YAML 1.1"),
        ("{<<: 1}", "<< is text for YAML 1.2 and a merge of another mapping for YAML 1.1"),
        ("=", "= is text for YAML 1.2 and a default value for YAML 1.1"),
    ],
)
def test_what_yaml_1_1_reads_otherwise_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        value(f"first: 1\nkey: {text}")
    assert refused.value.field == "w.yaml:2"
    assert refused.value.detail == f"{said}; write what is meant, as text in quotes"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\n'a': 3", 3, "key 'a' appears twice"),
        ("x:\n  - a: 1\n    a: 1", 3, "key 'a' appears twice"),
        ("no: 1", 1, "no is text"),
        ("a: 1\n2: b", 2, "a key must be text"),
        ("null: b", 1, "a key must be text"),
        ("[a]: b", 1, "a key must be text"),
        ("a: &x 1", 1, "&x is an anchor"),
        ("? &x a\n: 1", 1, "&x is an anchor"),
        ("a: 1\nb: *x", 2, "*x is an alias"),
        ("- &x [a]\n- [*x, *x]", 1, "&x is an anchor"),
        ("a: !!str no", 1, "tag:yaml.org,2002:str is a tag"),
        ("a: !!python/object:os.system x", 1, "is a tag"),
        ("a: !x {}", 1, "!x is a tag"),
        ("a: 1\n---\nb: 1", 2, "a second document begins"),
        ("a: [1", 1, "not valid YAML"),
        ("a: 1\n\tb: 1", 2, "not valid YAML"),
        ("\n".join(f"{' ' * depth}a:" for depth in range(120)), 101, "nested deeper than 100 levels"),
        ("[" * 100_000, 1, "nested deeper than 100 levels"),
        (f"a: {'9' * 5_000}", 1, "no number that JSON can hold"),
    ],
)
def test_what_is_refused_is_named_by_line(text: str, line: int, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        value(text)
    assert refused.value.field == f"w.yaml:{line}"
    assert said in refused.value.detail


@pytest.mark.parametrize("text", ["", "# nothing\n", "\x00", "a: \ud800"])
def test_what_holds_no_document_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"w\.yaml"):
        value(text)


def test_each_part_has_its_line() -> None:
    found = parse_yaml("a:\n- b: 1\n  c/d:\n    - x\n- y\n", source="w.yaml")
    assert found.lines == {"": 1, "a": 1, "a/0": 2, "a/0/b": 2, "a/0/c~1d": 3, "a/0/c~1d/0": 4, "a/1": 5}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="ascii"), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab no1", max_size=3), inner, max_size=3),
)  # fmt: skip


@given(JSON)
def test_json_is_yaml(given_value: Any) -> None:
    assert value(json.dumps(given_value, indent=1)) == given_value


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@`, \n\t?01.~"), max_size=20))
def test_any_text_is_read_or_refused_by_place(text: str) -> None:
    try:
        value(text)
    except InvalidInput as error:
        place = error.field
    else:
        place = "w.yaml"
    assert (place or "").startswith("w.yaml")
