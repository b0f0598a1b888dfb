"""How a command ends badly: one line on stderr (or JSON with -o json) and an exit code for its sort."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import click

from sheratan.cli.session import output_format, wants_traceback
from sheratan.cli.text import clean
from sheratan.contracts.errors import InternalError, SheratanError

__all__ = ["EXIT_CODES", "tell_failure"]

EXIT_CODES: Mapping[int, str] = {
    0: "it was done",
    1: "it failed",
    2: "the command line or a value in it is not valid",
    3: "nothing with that id or name exists",
    4: "not allowed",
    5: "it contradicts what is recorded, or what another process does",
    124: "it took longer than the time given",
    130: "it was interrupted (SIGINT)",
}
"""Every exit code and what it means."""


def tell_failure(error: BaseException, meta: Mapping[str, Any]) -> int:
    """Say on stderr what went wrong and return the exit code."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return 130
    if isinstance(error, OSError):
        # It may be stdout itself that takes no more, and what is left in its buffer would be tried again at exit.
        _drop_stdout()
    if isinstance(error, BrokenPipeError):
        return 1
    if wants_traceback(meta):
        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        return _tell_usage(error, meta)
    found = error if isinstance(error, SheratanError) else _as_ours(error)
    _tell(meta, {**found.to_wire(), "exit_code": found.exit_code}, f"{found} ({found.code})")
    return found.exit_code


def _tell_usage(error: click.ClickException, meta: Mapping[str, Any]) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    parameter = getattr(error, "param", None)
    field = max(parameter.opts, key=len) if isinstance(parameter, click.Option) else None
    detail = error.message or error.format_message()
    wire = {"code": "usage", "detail": detail, "field": field, "exit_code": error.exit_code}
    _tell(meta, wire, f"{error.format_message()} (usage)")
    context = getattr(error, "ctx", None)
    if context is not None and output_format(meta) == "table":
        print(f"try: {context.command_path} --help", file=sys.stderr)
    return error.exit_code


def _as_ours(error: BaseException) -> SheratanError:
    if isinstance(error, OSError) and error.filename is not None:
        found: SheratanError = SheratanError(f"{error.strerror}: {error.filename}")
    elif isinstance(error, OSError):
        found = SheratanError(f"{error.strerror or error}")
    else:
        found = InternalError(
            f"{type(error).__name__}: {error}. This is a bug in Sheratan: please report it, with what"
            " the same command says with --traceback"
        )
    return found


def _tell(meta: Mapping[str, Any], wire: dict[str, Any], text: str) -> None:
    if output_format(meta) == "table":
        print(f"error: {' '.join(clean(text).split())}", file=sys.stderr)
        return
    import msgspec  # noqa: PLC0415 - a plain error needs no encoder

    print(msgspec.json.encode(wire).decode(), file=sys.stderr)


def _drop_stdout() -> None:
    """Let the interpreter's own flush at exit go nowhere instead of complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
