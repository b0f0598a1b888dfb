"""A page that several runs write: the suite its whole, each suite of peers its section. None takes another's away."""

from __future__ import annotations

from pathlib import Path

__all__ = ["END", "SECTIONS", "begin_of", "block_of", "put_block", "write_page"]

END = "<!-- to here -->"

SECTIONS = ("make bench-peers", "make bench-peers --durable")
"""Who writes a section, in their order on the page."""


def begin_of(section: str) -> str:
    """The line with which a section begins."""
    return f"<!-- {section} writes from here -->"


def write_page(path: Path, page: str) -> None:
    """Write the page anew; the sections of the peers stay as they were."""
    before = path.read_text("utf-8") if path.exists() else ""
    path.write_text(_joined(page, {section: block_of(before, section) for section in SECTIONS}), "utf-8")


def put_block(path: Path, block: str, section: str) -> None:
    """Write the section of a suite of peers; the rest of the page stays as it was."""
    page = path.read_text("utf-8") if path.exists() else "# Benchmarks\n"
    blocks = {name: block_of(page, name) for name in SECTIONS} | {section: block}
    path.write_text(_joined(_without_blocks(page), blocks), "utf-8")


def block_of(page: str, section: str) -> str:
    """The section of a suite of peers, or nothing."""
    _, begin, after = page.partition(begin_of(section))
    inside, end, _ = after.partition(END)
    return inside.strip("\n") + "\n" if begin and end else ""


def _without_blocks(page: str) -> str:
    for section in SECTIONS:
        before, begin, after = page.partition(begin_of(section))
        if begin:
            page = before.rstrip("\n") + "\n" + after.partition(END)[2].lstrip("\n")
    return page


def _joined(page: str, blocks: dict[str, str]) -> str:
    for section in SECTIONS:
        block = blocks[section].strip("\n")
        if block:
            page = f"{page.rstrip(chr(10))}\n\n{begin_of(section)}\n\n{block}\n\n{END}\n"
    return page
