"""T10: single bits of a stopped data directory flip; it is noticed, or what is held is what it was."""

from __future__ import annotations

from collections.abc import Callable

from crash.case import Case, Outcome, Run
from crash.storage_damage import How, Specimen, count_verdicts, draw_flips

__all__ = ["CASE"]

_STEPS = 150


def _run(run: Run) -> Outcome:
    return _flip_bits(run, run.size(slice=120, full=5_000), "with head")


def _control(run: Run) -> Outcome:
    return _flip_bits(run, 40, "not at all")


def _flip_bits(run: Run, count: int, how: How) -> Outcome:
    outcome = Outcome({"flips": 2 * count})
    for crashed in (False, True):
        specimen = Specimen.make(run.folder, run.seed, steps=_STEPS, crashed=crashed)
        flips = draw_flips(run.draw, specimen, count)
        changes = ((name, f"bit {bit}", _flip(bit)) for name, bit in flips)
        verdicts, untold = count_verdicts(specimen, changes, how)
        outcome.figures |= dict(sorted(verdicts.items()))
        outcome.violations += untold
    return outcome


def _flip(bit: int) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    return flip


CASE = Case(
    id="T10",
    name="bit-rot",
    promise=(
        "10,000 flipped bits in database, log and export: each is noticed by the verification or against the head that"
        " is known, or all that is held is what it was; 0 silent wrong answers"
    ),
    run=_run,
    control=_control,
    control_does="nothing is verified: the database is only opened",
)
