"""Canonical JSON: RFC 8785's own examples, and what it asks for of any value."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.values import DEPTH_MAX, INTEGER_MAX
from sheratan.kernel.canonical import canonical, digest, parse_strict

# Appendix B: the bits of a double, and how it is written.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "written"), NUMBERS)
def test_numbers_are_written_as_appendix_b_says(bits: str, written: str) -> None:
    [value] = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(value) == written.encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_what_appendix_b_calls_an_error_is_refused(bits: str) -> None:
    [value] = struct.unpack(">d", bytes.fromhex(bits))
    with pytest.raises(InvalidInput, match="not JSON"):
        canonical(value)


def test_the_example_of_section_3_2_2_is_written_as_section_3_2_4_says() -> None:
    given_text = (
        '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        r' "string": "\u20ac$\u000F\u000aA' + r"'\u0042\u0022\u005c\\\"\/" + '",'
        ' "literals": [null, true, false]}'
    )
    expected = bytes.fromhex(
        "7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d"
        "62 65 72 73 22 3a 5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 65 2b 33 30 2c 34 2e 35"
        "2c 30 2e 30 30 32 2c 31 65 2d 32 37 5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30 30 66"
        "5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d"
    )
    assert canonical(json.loads(given_text)) == expected


def test_keys_are_ordered_as_section_3_2_3_says() -> None:
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical(value)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@pytest.mark.parametrize("code", range(0x80))
def test_every_ascii_character_is_escaped_as_section_3_2_2_2_says(code: int) -> None:
    short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 0x22: '\\"', 0x5C: "\\\\"}
    expected = short.get(code) or (f"\\u{code:04x}" if code < 0x20 else chr(code))
    for value in (chr(code), [chr(code), 0.5]):  # the second takes the slow way
        text = canonical(value).decode()
        assert f'"{expected}"' in text


# ---------------------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)


@given(values)
def test_what_was_written_reads_back_as_the_same_value(value: Any) -> None:
    written = canonical(value)
    assert parse_strict(written) == value
    assert canonical(parse_strict(written)) == written


@given(values)
def test_other_parsers_read_the_same(value: Any) -> None:
    assert json.loads(canonical(value), parse_int=float) == value


@given(st.dictionaries(texts, st.integers(0, 9), max_size=8))
def test_keys_are_in_the_order_of_their_utf_16_units(value: dict[str, int]) -> None:
    keys = list(json.loads(canonical(value)))
    assert keys == sorted(value, key=lambda key: key.encode("utf-16-be"))


@given(
    st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False) | texts, max_size=6), st.randoms()
)
def test_the_order_in_which_keys_came_does_not_matter(value: dict[str, Any], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert canonical({key: value[key] for key in keys}) == canonical(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back_exactly(value: float) -> None:
    assert float(canonical(value)) == value


# ---------------------------------------------------------------------------------------------------------------------


def nested(levels: int, value: Any = 0) -> Any:
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"a": [1, 2**53]}, "/a/1"),
        ({"a": [1, -(2**53)]}, "/a/1"),
        ({"a": {"b": math.nan}}, "/a/b"),
        ([math.inf], "/0"),
        ([0, -math.inf], "/1"),
        ({"a": {1: 2}}, "/a"),
        ({"a": b"bytes"}, "/a"),
        ({"a": {1, 2}}, "/a"),
        ({"a": object()}, "/a"),
        (nested(DEPTH_MAX + 1), "/0" * DEPTH_MAX),
        (nested(DEPTH_MAX + 1, "text"), "/0" * DEPTH_MAX),
        (nested(DEPTH_MAX, {}), "/0" * DEPTH_MAX),
        (math.nan, "/"),
    ],
)
def test_what_is_not_json_is_refused_naming_where_it_is(value: Any, pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        canonical(value)
    assert refused.value.field == pointer


@pytest.mark.parametrize("value", ["\ud800", ["a\udfff"], {"\udc00": 1}, {"k": "\ud83d"}, ["\ud800", 0.5]])
def test_lone_surrogates_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="surrogate"):
        canonical(value, field="input")


def test_the_field_comes_before_the_pointer() -> None:
    with pytest.raises(InvalidInput) as refused:
        canonical({"a": math.nan}, field="input")
    assert refused.value.field == "input/a"


@pytest.mark.parametrize(
    "value",
    [INTEGER_MAX, -INTEGER_MAX, nested(DEPTH_MAX), nested(DEPTH_MAX, "text"), nested(DEPTH_MAX - 1, {})],
)
def test_what_is_just_within_the_bounds_is_accepted(value: Any) -> None:
    assert parse_strict(canonical(value)) == value


def test_a_subclass_of_a_json_type_is_refused() -> None:
    class Text(str):
        pass

    with pytest.raises(InvalidInput, match="Text"):
        canonical([Text("a")])


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '[{"a":{"b":1,"b":1}}]',
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        "1e999",
        "{",
        "",
        "[1,]",
        "{'a':1}",
        "9007199254740993",
        "1152921504606846976",
        "[" * 101 + "]" * 101,
        "[" * 100_000,
        "1" * 5_000,
        b"\xff",
        b'"\xed\xa0\x80"',
    ],
)
def test_text_that_is_not_strict_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_strict(text)


def test_a_lone_surrogate_escape_is_refused_at_the_latest_when_it_is_written() -> None:
    with pytest.raises(InvalidInput):
        canonical(parse_strict(r'"\ud800"'))


def test_a_digest_is_sha_256() -> None:
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
