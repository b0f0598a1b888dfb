"""A page that two runs write: the suite its whole, the peers their section. Neither takes the other's away."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BEGIN", "END", "block_of", "put_block", "write_page"]

BEGIN = "<!-- make bench-peers writes from here -->"
END = "<!-- to here -->"


def write_page(path: Path, page: str) -> None:
    """Write the page anew; the section of the peers stays as it was."""
    block = block_of(path.read_text("utf-8")) if path.exists() else ""
    path.write_text(_joined(page, block), "utf-8")


def put_block(path: Path, block: str) -> None:
    """Write the section of the peers; the rest of the page stays as it was."""
    page = path.read_text("utf-8") if path.exists() else "# Benchmarks\n"
    before, _, after = page.partition(BEGIN)
    rest = after.partition(END)[2] if after else ""
    path.write_text(_joined(before.rstrip("\n") + "\n" + rest.lstrip("\n"), block), "utf-8")


def block_of(page: str) -> str:
    """The section of the peers, or nothing."""
    _, begin, after = page.partition(BEGIN)
    inside, end, _ = after.partition(END)
    return inside.strip("\n") + "\n" if begin and end else ""


def _joined(page: str, block: str) -> str:
    if not block:
        return page
    return f"{page.rstrip(chr(10))}\n\n{BEGIN}\n\n{block.strip(chr(10))}\n\n{END}\n"
