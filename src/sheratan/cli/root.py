"""The tree of commands. A command's module is loaded when it is named, so that each starts quickly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from sheratan.cli.failures import EXIT_CODES, tell_failure
from sheratan.cli.program import Program

# ruff: noqa: PLC0415 - importing late is what this file is for

__all__ = ["root", "run"]


def run(program: Program, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; whatever goes wrong is told on stderr."""
    meta: Mapping[str, Any] = {}
    try:
        with root.make_context("sheratan", list(arguments), obj=program) as context:
            meta = context.meta
            root.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except (Exception, KeyboardInterrupt) as error:
        return tell_failure(error, meta)
    return 0


class _LazyGroup(click.Group):
    """A group whose commands are loaded by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_LOADERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        load = _LOADERS.get(cmd_name)
        return load() if load else None


def _up() -> click.Command:
    from sheratan.cli.up import up

    return up


def _job() -> click.Command:
    from sheratan.cli.job import job

    return job


def _approval() -> click.Command:
    from sheratan.cli.approval import approval

    return approval


def _dlq() -> click.Command:
    from sheratan.cli.dlq import dlq

    return dlq


def _workflow() -> click.Command:
    from sheratan.cli.workflow import workflow

    return workflow


def _queue() -> click.Command:
    from sheratan.cli.queue import queue

    return queue


def _kind() -> click.Command:
    from sheratan.cli.kind import kind

    return kind


def _tenant() -> click.Command:
    from sheratan.cli.tenant import tenant

    return tenant


def _schedule() -> click.Command:
    from sheratan.cli.schedule import schedule

    return schedule


def _price() -> click.Command:
    from sheratan.cli.price import price

    return price


def _alert() -> click.Command:
    from sheratan.cli.alert import alert

    return alert


def _budget() -> click.Command:
    from sheratan.cli.budget import budget

    return budget


def _retention() -> click.Command:
    from sheratan.cli.retention import retention

    return retention


def _ledger() -> click.Command:
    from sheratan.cli.ledger import ledger

    return ledger


def _state() -> click.Command:
    from sheratan.cli.state import state

    return state


def _why() -> click.Command:
    from sheratan.cli.why import why

    return why


def _status() -> click.Command:
    from sheratan.cli.status import status

    return status


def _metrics() -> click.Command:
    from sheratan.cli.metrics import metrics

    return metrics


def _journal() -> click.Command:
    from sheratan.cli.journal import journal

    return journal


def _doctor() -> click.Command:
    from sheratan.cli.doctor import doctor

    return doctor


def _demo() -> click.Command:
    from sheratan.cli.demo import demo

    return demo


def _dev() -> click.Command:
    from sheratan.cli.dev import dev

    return dev


def _config() -> click.Command:
    from sheratan.cli.config import config

    return config


def _schema() -> click.Command:
    from sheratan.cli.schema import schema

    return schema


def _version() -> click.Command:
    from sheratan.cli.version import version

    return version


_LOADERS: Mapping[str, Callable[[], click.Command]] = {
    "up": _up,
    "demo": _demo,
    "status": _status,
    "metrics": _metrics,
    "job": _job,
    "approval": _approval,
    "dlq": _dlq,
    "workflow": _workflow,
    "queue": _queue,
    "kind": _kind,
    "tenant": _tenant,
    "schedule": _schedule,
    "price": _price,
    "budget": _budget,
    "retention": _retention,
    "ledger": _ledger,
    "state": _state,
    "alert": _alert,
    "why": _why,
    "journal": _journal,
    "doctor": _doctor,
    "config": _config,
    "dev": _dev,
    "schema": _schema,
    "version": _version,
}

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())

root = _LazyGroup(
    "sheratan",
    help="Sheratan, the accountable orchestrator: durable jobs that can say why.\n\n"
    "Results go to stdout, everything else to stderr. Settings come from options, SHERATAN_… variables,"
    " sheratan.toml in the current folder, then the user's own file.",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
