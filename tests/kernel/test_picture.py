"""The drawings of a workflow: everything is in them, nothing overflows, and they are the same each time."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.errors import TooLarge
from sheratan.contracts.jobs import JobState
from sheratan.contracts.workflows import NodeState, Workflow
from sheratan.kernel.graph import graph_of
from sheratan.kernel.picture import NodeStatus, shorten
from sheratan.kernel.picture_layout import Slot, lay_out
from sheratan.kernel.picture_svg import draw_svg
from sheratan.kernel.picture_text import COLUMNS_MAX, draw_text
from tests.kernel.declared import GRAPHS, graph, workflow

SVG = "{http://www.w3.org/2000/svg}"
STATES: tuple[NodeState, ...] = (*get_args(JobState), "skipped", "compensating", "compensated")
LONG = "x" * 64

SHOP = workflow(
    {"name": "fetch", "kind": "http.get"},
    {"name": "parse", "kind": "text.parse", "input": "${fetch.output}"},
    {"name": "scan", "kind": "scan.file", "for_each": "${parse.output.files}"},
    {
        "name": "charge",
        "kind": "pay.charge",
        "after": ["parse"],
        "when": {"is": "exists", "value": "${input.card}"},
        "compensate": {"kind": "pay.refund"},
    },
    {"name": "report", "workflow": "reports", "after": ["charge"], "input": "${scan.output}"},
)
STATUSES = {
    "fetch": NodeStatus(state="succeeded"),
    "parse": NodeStatus(state="succeeded"),
    "scan": NodeStatus(state="running", items=12, items_ended=7),
    "charge": NodeStatus(state="skipped"),
}


def boxes(image: str) -> list[tuple[ET.Element, list[ET.Element], list[ET.Element]]]:
    """The boxes of an image: each with its rectangles and its texts."""
    root = ET.fromstring(image)
    groups = root.findall(f"{SVG}g")
    return [(group, group.findall(f"{SVG}rect"), group.findall(f"{SVG}text")) for group in groups]


def number(element: ET.Element, name: str) -> float:
    return float(element.attrib[name])


def test_a_workflow_is_drawn_as_text() -> None:
    assert draw_text(SHOP, STATUSES) == (
        "✓    fetch   http.get          succeeded\n"
        "✓    parse   text.parse        succeeded\n"
        "├─▶  scan    scan.file         running 7/12  for each of 12\n"
        "» │  charge  pay.charge        skipped       if, undo pay.refund\n"
        "○─╯  report  workflow reports\n"
    )


def test_a_terminal_without_unicode_gets_plain_text() -> None:
    drawn = draw_text(SHOP, STATUSES, ascii_only=True)
    assert drawn.isascii()
    assert drawn.splitlines()[2:] == [
        "+->  scan    scan.file         running 7/12  for each of 12",
        "~ |  charge  pay.charge        skipped       if, undo pay.refund",
        "o-+  report  workflow reports",
    ]


def test_below_a_node_without_children_stands_no_stranger() -> None:
    """Straight below means to be a child, so what begins anew begins further to the right."""
    drawn = draw_text(graph({"a": [], "b": [], "c": ["a"], "d": [], "e": []}))
    assert [line.split()[0] for line in drawn.splitlines()] == ["○", "│", "○", "○", "○"]
    assert [line.rstrip("abcdek ").rstrip() for line in drawn.splitlines()] == ["○", "│ ○", "○", "  ○", "○"]


@given(GRAPHS, st.sampled_from([None, *STATES]), st.booleans())
def test_text_has_a_line_per_node_and_stays_within_its_columns(
    declared: Workflow, state: NodeState | None, ascii_only: bool
) -> None:
    statuses = {node.name: NodeStatus(state=state) for node in declared.nodes} if state else {}
    drawn = draw_text(declared, statuses, ascii_only=ascii_only).splitlines()
    assert len(drawn) == len(declared.nodes)
    for line, name in zip(drawn, graph_of(declared).order, strict=True):
        assert len(line) <= COLUMNS_MAX
        assert f" {name} " in f"{line} "
        assert not ascii_only or line.isascii()


@given(GRAPHS)
def test_each_edge_can_be_followed_in_text(declared: Workflow) -> None:
    """Lines are followed by eye: along `─`, up through `│` and joints, to the parent's sign."""
    found = graph_of(declared)
    rows = [line.split("  n")[0] for line in draw_text(declared).splitlines()]
    for place, name in enumerate(found.order):
        reached = {found.order[row] for row in _parents_seen(rows, place)}
        assert reached == set(found.parents[name])


def _parents_seen(rows: list[str], place: int) -> set[int]:
    """The rows of the signs that lines lead to from the sign of a row."""
    row = rows[place]
    own = row.index("○")
    starts = [own] if place and rows[place - 1][own : own + 1] in ("│", "├", "┤", "┼", "○") else []
    for way in (-2, 2):
        column = own
        # A vertical line that is not joined is passed: what is horizontal goes on behind it.
        while 0 <= column + way < len(row) and row[column + way // 2] == "─":
            column += way
            if row[column] in "├┤┼╰╯┴":
                starts.append(column)
    return {_sign_above(rows, place, column) for column in starts}


def _sign_above(rows: list[str], place: int, column: int) -> int:
    for above in range(place - 1, -1, -1):
        cell = rows[above][column : column + 1]
        if cell == "○":
            return above
        assert cell in ("│", "├", "┤", "┼"), (rows, place, column)
    raise AssertionError((rows, place, column))


def test_too_many_lanes_become_words() -> None:
    parents: dict[str, list[str]] = {f"n{number}": [] for number in range(30)}
    drawn = draw_text(graph(parents | {"last": list(parents)}))
    assert drawn.splitlines()[0].rstrip() == "○  n0    k"
    assert re.fullmatch(r"○  last  k  after n0, n1, .*….*n28, n29", drawn.splitlines()[-1])
    assert max(map(len, drawn.splitlines())) <= COLUMNS_MAX


def test_long_names_give_way_in_text() -> None:
    declared = workflow({"name": LONG, "kind": "k" * 128, "compensate": {"kind": "u" * 128}})
    (line,) = draw_text(
        declared, {LONG: NodeStatus(state="compensating", items=100, items_ended=10)}
    ).splitlines()
    assert len(line) == COLUMNS_MAX
    assert "compensating 10/100" in line


@given(GRAPHS)
def test_boxes_never_overlap_and_stay_on_the_sheet(declared: Workflow) -> None:
    image = draw_svg(declared)
    root = ET.fromstring(image)
    frames = [rectangles[-1] for _, rectangles, _ in boxes(image)]
    assert len(frames) == len(declared.nodes)
    for frame in frames:
        assert number(frame, "x") >= 0
        assert number(frame, "x") + number(frame, "width") <= number(root, "width")
        assert number(frame, "y") + number(frame, "height") <= number(root, "height")
    for one, other in itertools.combinations(frames, 2):
        apart_x = abs(number(one, "x") - number(other, "x")) >= number(one, "width")
        apart_y = abs(number(one, "y") - number(other, "y")) >= number(one, "height")
        assert apart_x or apart_y


@given(GRAPHS)
def test_every_edge_arrives_in_the_image(declared: Workflow) -> None:
    children = graph_of(declared).children
    arrows = draw_svg(declared).count("marker-end")
    assert arrows == sum(map(len, children.values()))


@given(GRAPHS)
def test_lines_go_down_one_layer_at_a_time(declared: Workflow) -> None:
    found, layout = graph_of(declared), lay_out(graph_of(declared))
    below: dict[Slot, list[Slot]] = {}
    for upper, lower in layout.connections:
        assert lower.layer == upper.layer + 1
        below.setdefault(upper, []).append(lower)
    for parent in found.order:
        left, reached = [Slot(parent, layout.layers[parent])], set()
        while left:
            for slot in below.get(left.pop(), []):
                arrived = slot.layer == layout.layers[slot.name]
                reached.update([slot.name] if arrived else [])
                left += [] if arrived else [slot]
        assert reached == set(found.children[parent])


@pytest.mark.parametrize("size", [1, 5, 12, 40])
def test_no_text_overflows_its_box(size: int) -> None:
    nodes: list[dict[str, Any]] = [
        {
            "name": f"{LONG[:60]}-{place}",
            "kind": "k" * (1 + 3 * place),
            "after": [f"{LONG[:60]}-{other}" for other in range(max(0, place - 2), place)],
            "for_each": "${input}",
        }
        for place in range(size)
    ]
    statuses = {
        node["name"]: NodeStatus(state="compensating", items=10**9, items_ended=10**8) for node in nodes
    }
    for _, rectangles, texts in boxes(draw_svg(workflow(*nodes), statuses)):
        frame = rectangles[-1]
        sign = 18
        for text in texts:
            assert len(text.text or "") * 7.8 <= number(text, "textLength") + 0.1
            assert number(text, "x") + number(text, "textLength") + sign <= number(frame, "x") + number(
                frame, "width"
            )
            assert number(frame, "y") < number(text, "y") - 10
            assert number(text, "y") < number(frame, "y") + number(frame, "height")


def test_a_state_is_shown_by_word_colour_and_sign() -> None:
    names = [f"n{place}" for place in range(len(STATES))]
    statuses = {name: NodeStatus(state=state) for name, state in zip(names, STATES, strict=True)}
    drawn = boxes(draw_svg(graph({name: [] for name in names}), statuses))
    signs: set[str] = set()
    for (group, rectangles, texts), state in zip(drawn, STATES, strict=True):
        assert texts[-1].text == state
        (sign,) = group.findall(f"{SVG}path")
        signs.add(sign.attrib["d"])
        assert sign.attrib["class"].split()[-1] in rectangles[0].attrib["class"]
    assert len(signs) == len(STATES)
    lines = draw_text(graph({name: [] for name in names}), statuses).splitlines()
    assert [line.split()[-1] for line in lines] == list(STATES)


def test_what_is_special_about_a_node_is_seen() -> None:
    drawn = {texts[0].text: (rectangles, texts) for _, rectangles, texts in boxes(draw_svg(SHOP, STATUSES))}
    assert [text.text for text in drawn["scan"][1]] == ["scan", "scan.file", "for each of 12", "running 7/12"]
    assert len(drawn["scan"][0]) == 2
    assert [text.text for text in drawn["charge"][1]][2:] == ["if · undo pay.refund", "skipped"]
    assert "if" in drawn["charge"][0][0].attrib["class"].split()
    assert [text.text for text in drawn["report"][1]] == ["report", "workflow reports"]


def test_an_image_stands_alone_for_light_and_dark_and_any_text() -> None:
    declared = workflow({"name": "a"}, description='<&> "quoted" \x00\x1b[31m')
    image = draw_svg(declared)
    root = ET.fromstring(image)
    assert root.find(f"{SVG}desc").text == '<&> "quoted" \ufffd\ufffd[31m'  # type: ignore[union-attr]
    assert "prefers-color-scheme: dark" in image
    assert "href" not in image
    assert image.count("http") == 1


def test_a_broad_workflow_is_turned() -> None:
    middle = [f"n{place}" for place in range(10)]
    declared = graph({"first": [], **{name: ["first"] for name in middle}, "last": middle})
    root = ET.fromstring(draw_svg(declared))
    assert number(root, "width") < number(root, "height") < 1_200


def test_a_drawing_that_nobody_could_read_is_refused() -> None:
    names = [f"n{place}" for place in range(150)]
    declared = graph({name: names[:place] for place, name in enumerate(names)})
    with pytest.raises(TooLarge, match="look at it as text"):
        draw_svg(declared)
    assert len(draw_text(declared).splitlines()) == 150


@given(GRAPHS)
def test_a_drawing_is_the_same_each_time(declared: Workflow) -> None:
    assert draw_svg(declared) == draw_svg(declared)


def test_what_is_left_out_of_a_long_name_is_in_its_middle() -> None:
    assert shorten("abcdefgh", 8) == "abcdefgh"
    assert shorten("abcdefghi", 8) == "abcd…ghi"
    assert shorten("abcdefghi", 1) == "…"
