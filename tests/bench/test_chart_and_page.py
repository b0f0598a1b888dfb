"""The chart's scales, and the page that two runs write."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.chart import Bar, Panel, Scale, as_svg
from bench.page import END, SECTIONS, begin_of, block_of, put_block, write_page


def test_a_logarithmic_scale_has_a_line_at_each_power_of_ten() -> None:
    scale = Scale([136.0, 21_658.0], 300.0, is_log=True)
    assert scale.ticks() == [100.0, 1_000.0, 10_000.0, 100_000.0]
    assert [scale.width(tick) for tick in scale.ticks()] == pytest.approx([0.0, 100.0, 200.0, 300.0])


def test_the_smallest_bar_of_a_logarithmic_scale_can_be_seen() -> None:
    assert Scale([100.0, 1_000.0], 100.0, is_log=True).width(100.0) > 0
    assert Scale([100.0], 100.0, is_log=True).width(100.0) > 0


def test_a_linear_scale_begins_at_zero() -> None:
    scale = Scale([50.0, 6_319.0], 100.0, is_log=False)
    assert scale.width(6_319.0) == 100.0
    assert scale.ticks()[:3] == [0.0, 1_000.0, 2_000.0]
    assert scale.ticks()[-1] == 6_000.0


@pytest.mark.parametrize("is_log", [True, False])
def test_a_panel_without_values_is_drawn(is_log: bool) -> None:
    svg = as_svg("T", "D", [Panel("P", "ms", [Bar("a", None, note="not run: <why>")], is_log=is_log)])
    words = "".join(ElementTree.fromstring(svg).itertext())
    assert "not run: <why>" in words
    assert "prefers-color-scheme: dark" in words


PAGE = "# Benchmarks\n\n## Drain\n\nFast.\n"
BLOCK = "## Beside other queues\n\n| a |\n"


QUEUES, DURABLE = SECTIONS


def test_each_run_leaves_the_others_part_alone(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    write_page(path, PAGE)
    assert path.read_text("utf-8") == PAGE
    put_block(path, BLOCK, QUEUES)
    first = path.read_text("utf-8")
    assert first.startswith(PAGE)
    assert block_of(first, QUEUES) == BLOCK
    put_block(path, BLOCK, QUEUES)
    assert path.read_text("utf-8") == first
    put_block(path, BLOCK.replace("a", "b"), QUEUES)
    assert block_of(path.read_text("utf-8"), QUEUES) == BLOCK.replace("a", "b")
    write_page(path, PAGE.replace("Fast", "Faster"))
    assert path.read_text("utf-8").startswith(PAGE.replace("Fast", "Faster"))
    assert block_of(path.read_text("utf-8"), QUEUES) == BLOCK.replace("a", "b")


def test_the_sections_stand_in_their_order_whoever_is_written_first(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    write_page(path, PAGE)
    put_block(path, "## Steps\n", DURABLE)
    put_block(path, BLOCK, QUEUES)
    text = path.read_text("utf-8")
    assert text.startswith(PAGE)
    assert text.index(begin_of(QUEUES)) < text.index(begin_of(DURABLE))
    assert (block_of(text, QUEUES), block_of(text, DURABLE)) == (BLOCK, "## Steps\n")
    put_block(path, "## More steps\n", DURABLE)
    assert path.read_text("utf-8") == text.replace("## Steps", "## More steps")


def test_a_new_page_can_begin_with_the_section(tmp_path: Path) -> None:
    put_block(tmp_path / "new.md", BLOCK, QUEUES)
    text = (tmp_path / "new.md").read_text("utf-8")
    assert text.startswith("# Benchmarks\n")
    assert text.count(begin_of(QUEUES)) == text.count(END) == 1
