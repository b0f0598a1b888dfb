"""Run the battery: `python -m crash [CASE ...] [--full] [--seed N] [--no-controls] [--keep] [--json FILE]
[--markdown FILE]`."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import crash.cases
from crash.case import Case, Outcome, Run

__all__ = ["load_cases", "main"]


def load_cases() -> dict[str, Case]:
    """Every case by its id, in the order of the ids."""
    names = sorted(module.name for module in pkgutil.iter_modules(crash.cases.__path__))
    cases = [importlib.import_module(f"crash.cases.{name}").CASE for name in names]
    return {case.id: case for case in cases}


def main(arguments: Sequence[str], cases: Mapping[str, Case] | None = None) -> int:
    """Run cases and their negative controls; 1 when a promise was broken, or when a control found nothing."""
    cases = load_cases() if cases is None else cases
    given = _parse(arguments, list(cases))
    rows = []
    for name in given.cases or cases:
        case = cases[name]
        missing = case.needs()
        if missing is not None:
            rows.append(_row(case, given.seed, {"state": "not run", "violations": [missing]}))
            print(_line(rows[-1]), flush=True)
            continue
        rows.append(_row(case, given.seed, _run(case.run, given, "kept")))
        if not given.no_controls:
            rows[-1]["control"] = _run(case.control, given, "broken") | {"does": case.control_does}
        print(_line(rows[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
    if given.markdown:
        given.markdown.write_text(_markdown(rows), "utf-8")
    return 0 if all(_is_good(row) for row in rows) else 1


def _parse(arguments: Sequence[str], names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m crash", description=main.__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", choices=[*names, []], help=", ".join(names))
    parser.add_argument("--full", action="store_true", help="the size that the promise's figure asks for")
    parser.add_argument("--seed", type=int, default=20261121, help="repeats a run (default: %(default)s)")
    parser.add_argument("--no-controls", action="store_true", help="leave the negative controls out")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that went wrong")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the results as a page")
    return parser.parse_args(arguments)


def _run(run: Callable[[Run], Outcome], given: argparse.Namespace, wanted: str) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="sheratan-crash-"))
    began = time.monotonic()
    try:
        outcome = run(Run(given.seed, "full" if given.full else "slice", folder))
        state = "kept" if outcome.is_ok else "broken"
    except Exception as error:
        # A harness that stumbles has neither shown that a promise holds nor that it noticed a broken one.
        traceback.print_exc()
        outcome, state = Outcome({}, [f"the harness failed: {type(error).__name__}: {error}"]), "failed"
    if given.keep and state != wanted:
        sys.stderr.write(f"kept {folder}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "state": state,
        "figures": outcome.figures,
        "violations": outcome.violations,
        "seconds": round(time.monotonic() - began, 1),
    }


def _row(case: Case, seed: int, found: dict[str, Any]) -> dict[str, Any]:
    return {"id": case.id, "name": case.name, "promise": case.promise, "seed": seed, **found}


def _is_good(row: dict[str, Any]) -> bool:
    control = row.get("control")
    return row["state"] == "kept" and (control is None or control["state"] == "broken")


def _line(row: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {value}" for name, value in row.get("figures", {}).items())
    lines = [f"{row['id']} {row['name']}: {row['state']} (seed {row['seed']}) {figures}"]
    lines += [f"  {text}" for text in row["violations"][:10]]
    control = row.get("control")
    if control is not None:
        noticed = "noticed" if control["state"] == "broken" else "NOT NOTICED"
        lines.append(f"  control, {control['does']}: {noticed}")
    return "\n".join(lines)


def _markdown(rows: list[dict[str, Any]]) -> str:
    lines = ["| case | promise | seed | kept | figures | control |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = "; ".join(f"{name}: {value}" for name, value in row.get("figures", {}).items())
        control = row.get("control")
        noticed = (
            ""
            if control is None
            else f"{control['does']}: " + ("noticed" if control["state"] == "broken" else "**not noticed**")
        )
        name = f"{row['id']} {row['name']}"
        lines.append(
            f"| {name} | {row['promise']} | {row['seed']} | {row['state']} | {figures} | {noticed} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
