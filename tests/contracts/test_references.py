"""How references are written: what is one, what is plain text, and where a mistake is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.references import (
    Part,
    Reference,
    format_path,
    format_template,
    parse_template,
    sole_reference,
)

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_\-]{0,8}", fullmatch=True)
KEYS = NAMES | st.text(max_size=6) | st.integers(0, 999_999_999)
REFERENCES = st.builds(Reference, NAMES, st.lists(KEYS, max_size=4).map(tuple))
PLAIN = st.text(max_size=8) | st.text(alphabet='${}a[]."', max_size=8)


def merged(parts: list[Part]) -> tuple[Part, ...]:
    """Parts as a parser gives them: no two plain texts beside each other, and none that is empty."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return tuple(found) or ("",)


@given(st.lists(PLAIN | REFERENCES, max_size=6))
@example(["$", Reference("a")])
@example(["$$", "{", "$"])
@example([])
def test_what_is_written_is_read_again(parts: list[Part]) -> None:
    assert parse_template(format_template(parts), field="x") == merged(parts)


@given(st.text(max_size=12) | st.text(alphabet='${}a.[0"]', max_size=12))
def test_any_text_is_a_template_or_refused_by_field(text: str) -> None:
    try:
        parts = parse_template(text, field="there")
    except InvalidInput as error:
        refused = error
    else:
        assert parse_template(format_template(parts), field="there") == parts
        return
    assert refused.field == "there"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("${input}", (Reference("input"),)),
        ("${fetch.output.files[0]}", (Reference("fetch", ("output", "files", 0)),)),
        ('${a.output["odd } key"]["\\u00e9"]}', (Reference("a", ("output", "odd } key", "é")),)),
        ("page ${index} of ${input.pages}!",
         ("page ", Reference("index"), " of ", Reference("input", ("pages",)), "!")),
        ("$${input}", ("${input}",)),
        ("$$${input}", ("$", Reference("input"))),
        ("$$$${input}", ("$${input}",)),
        ("US$ 5, $$5, {a}", ("US$ 5, $$5, {a}",)),
        ("", ("",)),
    ],
)  # fmt: skip
def test_a_template_is_plain_text_and_references(text: str, parts: tuple[Part, ...]) -> None:
    assert parse_template(text, field="x") == parts


@pytest.mark.parametrize(
    ("text", "wanted", "character"),
    [
        ("${", "a name", 3),
        ("see ${}", "a name", 7),
        ("${ a}", "a name", 3),
        ("${a", "`.name`", 4),
        ("${a }", "`.name`", 4),
        ("${a.}", "a name, or", 5),
        ("${a.1}", "a name, or", 5),
        ("${a[01]}", "`.name`", 4),
        ("${a[-1]}", "`.name`", 4),
        ("${a['key']}", "`.name`", 4),
        ('${a["\\q"]}', "a key as JSON text", 4),
        ('${a["\\ud800"]}', "a key as JSON text", 4),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, wanted: str, character: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_template(text, field="nodes/0/input")
    assert refused.value.field == "nodes/0/input"
    assert f"needs {wanted}" in refused.value.detail
    assert f"at character {character}," in refused.value.detail
    assert "`$${`" in refused.value.detail


def test_a_text_of_one_reference_is_told_from_all_else() -> None:
    assert sole_reference("${a.output}", field="x") == Reference("a", ("output",))
    for other in ("a", "${a.output} ", "${a}${b}", "$${a}", 3, None, ["${a}"]):
        assert sole_reference(other, field="x") is None


def test_a_path_is_written_as_it_is_read() -> None:
    assert format_path(("output", "files", 0, "odd key")) == '.output.files[0]["odd key"]'
