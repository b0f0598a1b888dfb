"""Listings: one page, or every page as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeVar

import click
import msgspec
from msgspec.structs import replace

from sheratan.cli.output import emit, talk, write
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session
from sheratan.contracts.api import Request, Transport

__all__ = ["iterate_pages", "page_options", "show_pages"]

Command = TypeVar("Command", bound=Callable[..., Any])


class _Page(Protocol):
    """Some of the items of a listing, and where the next page begins; None on the last one."""

    @property
    def items(self) -> Sequence[Any]:
        """What it shows."""
        ...

    @property
    def next_cursor(self) -> str | None:
        """How to go on."""
        ...


_Draw = Callable[[Any], None]

_encode = msgspec.json.Encoder().encode


def page_options(what: str) -> Callable[[Command], Command]:
    """The options of a listing of something, `Jobs`, that say which pages of it to show."""

    def decorate(function: Command) -> Command:
        function = click.option("--all", "everything", is_flag=True, help="All pages.")(function)
        function = click.option("--cursor", help="Go on where an earlier page ended.")(function)
        return click.option("--limit", type=int, default=50, help=f"{what} of one page (default: 50).")(
            function
        )

    return decorate


def show_pages(
    session: Session, asks: type[Request], draw: _Draw, /, *, everything: bool, **fields: Any
) -> None:
    """Ask for a page and write it, and how to go on, or for all of them."""
    wanted = request(asks, **fields)
    if everything:
        ask(session, lambda transport: _write_all(session, transport, wanted, draw), offline=True)
        return
    page: _Page = ask(session, lambda transport: transport.call(wanted), offline=True)
    # As JSON it says itself how to go on.
    emit(session, page.items if session.output == "jsonl" else page, lambda: draw(page))
    if page.next_cursor is not None and session.output != "json":
        talk(f"more: --cursor {page.next_cursor}")


async def iterate_pages(transport: Transport, first: Request) -> AsyncIterator[Any]:
    """Every page of a listing from a request for the first one on; however many there are, one is held at a time."""
    wanted = first
    while True:
        page: _Page = await transport.call(wanted)
        yield page
        if page.next_cursor is None:
            return
        wanted = replace(first, cursor=page.next_cursor)


async def _write_all(session: Session, transport: Transport, first: Request, draw: _Draw) -> None:
    is_first = True
    async for page in iterate_pages(transport, first):
        _write_page(session, page, draw, is_first=is_first)
        is_first = False


def _write_page(session: Session, page: _Page, draw: _Draw, *, is_first: bool) -> None:
    if session.output != "json":
        emit(session, page.items, lambda: draw(page))
        return
    # One document, written in pieces.
    body = b",\n".join(_encode(item) for item in page.items)
    write((b'{"items":[\n' if is_first else b",\n" if body else b"") + body)
    if page.next_cursor is None:
        write(b'\n],"next_cursor":null}\n')
