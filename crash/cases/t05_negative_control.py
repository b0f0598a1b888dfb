"""T05: the harness of T03 must find what is wrong with an engine that promises too early, and within ten cuts."""

from __future__ import annotations

from crash.case import Case, Outcome, Run
from crash.storage_cuts import acknowledge_early, cut_power, sync_less, sync_never

__all__ = ["CASE"]

_CUTS_MAX = 10
_BROKEN = {
    "synchronous=NORMAL": sync_less,
    "synchronous=OFF": sync_never,
    "acknowledge before commit": acknowledge_early,
}


def _run(run: Run) -> Outcome:
    """Each broken engine must be found out by every one of several seeds."""
    outcome = Outcome()
    seeds = [run.seed + number for number in range(run.size(slice=2, full=20))]
    for name, sabotage in _BROKEN.items():
        worst = 0
        for seed in seeds:
            found = cut_power(Run(seed, run.scale, run.folder), cuts=_CUTS_MAX, sabotage=sabotage)
            needed = found.figures["cuts until the first loss"]
            if needed is None:
                outcome.violations.append(f"{name} was not noticed within {_CUTS_MAX} cuts (seed {seed})")
            worst = max(worst, needed or _CUTS_MAX)
        outcome.figures[f"{name}, cuts needed at most"] = worst
    outcome.figures["seeds"] = len(seeds)
    return outcome


def _control(run: Run) -> Outcome:
    """The engine as it is, where a broken one is expected: nothing may be found, so this promise must break."""
    found = cut_power(run, cuts=_CUTS_MAX)
    if found.figures["cuts until the first loss"] is None and not found.violations:
        return Outcome(found.figures, ["nothing was lost, so nothing was noticed"])
    return Outcome(found.figures, [])


CASE = Case(
    id="T05",
    name="negative-control",
    promise="the harness of T03 notices synchronous=NORMAL, and an answer before the commit, within 10 cuts",
    run=_run,
    control=_control,
    control_does="the engine is left as it is, so there is nothing to notice",
)
