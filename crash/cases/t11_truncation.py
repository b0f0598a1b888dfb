"""T11: each file is cut off, at every page and at odd lengths; against the head that is known it must be noticed."""

from __future__ import annotations

from collections.abc import Callable

from crash.case import Case, Outcome, Run
from crash.storage_damage import LOG, How, Specimen, count_verdicts

__all__ = ["CASE"]

_PAGE = 4_096


def _run(run: Run) -> Outcome:
    return _cut_files(run, "with head")


def _control(run: Run) -> Outcome:
    return _cut_files(run, "without head", only=LOG)


def _cut_files(run: Run, how: How, only: str | None = None) -> Outcome:
    outcome = Outcome({"cuts": 0})
    for crashed in (False, True):
        specimen = Specimen.make(run.folder, run.seed, steps=run.size(slice=160, full=200), crashed=crashed)
        changes = [change for change in _changes(run, specimen) if only in (None, change[0])]
        verdicts, untold = count_verdicts(specimen, changes, how)
        outcome.figures |= {"cuts": outcome.figures["cuts"] + len(changes), **dict(sorted(verdicts.items()))}
        outcome.violations += untold
    return outcome


def _changes(run: Run, specimen: Specimen) -> list[tuple[str, str, Callable[[bytes], bytes]]]:
    draw = run.draw
    changes: list[tuple[str, str, Callable[[bytes], bytes]]] = []
    for name, content in specimen.files.items():
        at_pages = list(range(0, len(content), _PAGE))
        odd = [draw.randrange(len(content)) | 1 for _ in range(run.size(slice=10, full=200))]
        lengths = sorted({*draw.sample(at_pages, min(len(at_pages), run.size(slice=10, full=1 << 30))), *odd})
        changes += [(name, f"cut to {length} of {len(content)} bytes", _cut(length)) for length in lengths]
    return changes


def _cut(length: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:length]


CASE = Case(
    id="T11",
    name="truncation",
    promise=(
        "every file cut at every 4 KB boundary and 200 odd lengths: 100 % noticed against the head that the client"
        " knows (number and hash; signed checkpoints come later)"
    ),
    run=_run,
    control=_control,
    control_does="it is verified without the head that is known",
)
