"""One command's circumstances: the options that every command has, and what they lead to."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from sheratan.cli.program import Program
from sheratan.settings import Origin, Settings, load_settings

__all__ = ["FORMATS", "Session", "command_options", "output_format", "wants_traceback"]

P = ParamSpec("P")
T = TypeVar("T")

FORMATS = ("table", "json", "jsonl")
_META = "sheratan.cli."


class Session:
    """What a command works with."""

    def __init__(self, program: Program, data: str | None, output: str) -> None:
        self.program = program
        self.output = output
        """`table`, `json` or `jsonl`."""
        self._flag = data
        self._loaded: tuple[Settings, list[Origin]] | None = None

    def load(self, flags: Mapping[str, Any] | None = None) -> tuple[Settings, list[Origin]]:
        """The settings with their origins; `flags` are this command's own, by setting name."""
        if self._loaded is None:
            given = {"data": self._flag, **(flags or {})}
            self._loaded = load_settings(given, os.environ, Path.cwd())
        return self._loaded

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.load()[0]

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.settings.data)


def command_options(function: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
    """Add the options of every command; the command gets a Session first."""

    @functools.wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> T:
        context = click.get_current_context()
        program: Program = context.obj
        session = Session(program, context.meta.get(_META + "data"), output_format(context.meta))
        return function(session, *arguments, **named)

    options = (
        click.option(
            "--data",
            metavar="DIR",
            expose_value=False,
            callback=_keep,
            help="The data directory (also SHERATAN_DATA).",
        ),
        click.option(
            "-o",
            "--format",
            "output",
            type=click.Choice(FORMATS),
            default="table",
            expose_value=False,
            # Eager: errors found in later options are already told in this format.
            is_eager=True,
            callback=_keep,
            help="How results are written to stdout (default: table).",
        ),
        click.option(
            "--traceback",
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_keep,
            help="With an error, show where in the program it arose.",
        ),
    )
    decorated: Any = call
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def output_format(meta: Mapping[str, Any]) -> str:
    """The format that was asked for, as far as the command line has been read."""
    return str(meta.get(_META + "output", "table"))


def wants_traceback(meta: Mapping[str, Any]) -> bool:
    """Whether --traceback was given."""
    return bool(meta.get(_META + "traceback", False))


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    context.meta[_META + str(parameter.name)] = value
