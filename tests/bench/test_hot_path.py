"""What a job costs the engine at least, counted and not timed: the bytecodes that run to decide about it and store it.

Each job pays for what is done for every job, and a feature that few jobs use adds to it unnoticed. When this fails,
move what was added behind a check of what few jobs have (`Plan.is_plain`), or raise the budget and say why.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from bench.decider_alone import DeciderAlone

JOBS = 100
BYTECODES_MAX = 2_580
"""For one job of a batch of 100; it is a little less."""


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each version of Python has its own bytecodes")
def test_no_job_pays_for_what_few_jobs_have() -> None:
    run = DeciderAlone()
    run.cycle(JOBS)  # What is remembered from then on is no job's cost.
    ran = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal ran
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        ran += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        run.cycle(JOBS)
    finally:
        sys.settrace(before)
        run.close()
    assert BYTECODES_MAX * 0.9 < ran / JOBS <= BYTECODES_MAX
