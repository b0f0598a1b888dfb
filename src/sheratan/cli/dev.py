"""`sheratan dev …`: instruments for those who want to see for themselves that promises are kept."""

from __future__ import annotations

import os
from typing import Any

import click

from sheratan.cli.output import draw_table, emit, line, talk
from sheratan.cli.session import Session, command_options
from sheratan.contracts.simulation import Campaign, SimulatedRun

__all__ = ["dev"]

_STORY_LINES = 60
"""The end of a story, where it went wrong; all of it is in the JSON."""


@click.group()
def dev() -> None:
    """Instruments that put the engine to the test."""


@dev.command()
@click.option(
    "--seed", type=click.IntRange(0), help="Replay this one seed; a broken promise is shrunken and told."
)
@click.option(
    "--seeds", type=click.IntRange(1), default=300, show_default=True, help="How many seeds to run."
)
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True, help="The first of them.")
@click.option("--processes", type=click.IntRange(1), help="Processes to use (default: one per CPU).")
@click.option("--twice", is_flag=True, help="Run each seed twice: the digests must be the same.")
@command_options
def simulate(
    session: Session, seed: int | None, seeds: int, first_seed: int, processes: int | None, twice: bool
) -> None:
    """Run the real engine and store in simulated worlds: virtual time, and faults that a seed decides.

    Every committed state is held against a model, the verification and the replay of the journal. Exit 1 when a
    promise was broken, when a seed did not repeat itself, or when a promised fault never happened.
    """
    if seed is not None:
        _simulate_one(session, seed, twice=twice)
        return
    count = processes or os.cpu_count() or 1
    talk(f"simulate: seeds {first_seed} to {first_seed + seeds - 1} on {count} processes")
    campaign = session.program.simulate_many(
        first_seed, seeds, processes=count, twice=twice, told=_tell_failure
    )
    emit(session, campaign, lambda: _draw(campaign))
    if not campaign.ok:
        click.get_current_context().exit(1)


def _simulate_one(session: Session, seed: int, *, twice: bool) -> None:
    options = session.program.simulation_options(seed)
    talk(f"simulate: seed {seed}")
    talk(f"options: {_shown(options)}")
    run = session.program.simulate_seed(seed, shrunken=True)
    repeated = not twice or session.program.simulate_seed(seed, shrunken=True).digest == run.digest
    emit(session, run, lambda: _draw_run(run))
    if not repeated:
        talk(f"seed {seed} did not repeat itself: the second run had another digest")
    if run.violation is not None or not repeated:
        click.get_current_context().exit(1)


def _tell_failure(run: SimulatedRun) -> None:
    if run.violation is not None:
        talk(f"seed {run.seed}: {run.violation}")
        talk(f"  options: {_shown(run.options)}")
        talk(f"  replay it: sheratan dev simulate --seed {run.seed}")


def _shown(options: dict[str, Any]) -> str:
    plain = {name: value for name, value in options.items() if not isinstance(value, dict)}
    rates = {name: value for name, value in options.get("rates", {}).items() if value}
    return ", ".join(f"{name}={value}" for name, value in (plain | rates).items())


def _draw_run(run: SimulatedRun) -> None:
    if run.violation is not None:
        for text in run.story[-_STORY_LINES:]:
            line(text)
    line(f"seed {run.seed}: {run.violation or 'every promise was kept'}")
    line(f"{run.jobs} jobs, {run.entries} entries, {run.seconds:.0f} s of its own time, digest {run.digest}")


def _draw(campaign: Campaign) -> None:
    draw_table(("REACHED", "TIMES"), [(name, str(times)) for name, times in campaign.coverage.items()])
    for name in campaign.missing:
        line(f"never reached: {name}")
    for seed in campaign.not_repeated:
        line(f"not repeated: seed {seed}")
    broken = f"{len(campaign.failures)} broke a promise" if campaign.failures else "every promise was kept"
    line(
        f"{campaign.seeds} seeds: {broken}; {campaign.jobs} jobs, {campaign.entries} entries,"
        f" {campaign.world_seconds / 3600:.1f} hours of their own time in {campaign.elapsed_seconds:.0f} s"
    )
