"""Which jobs are plain: those that ask for nothing that is kept, or told, of few jobs only."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from sheratan.engine.commands import NewJob
from sheratan.engine.submitted import is_plain

PLAIN: Final = NewJob(
    kind="work",
    queue="default",
    priority=5,
    delay_us=0,
    key=None,
    digest="0" * 64,
    input=b"null",
    attempts_max=3,
    backoff_base_us=1,
    backoff_cap_us=1,
    run_timeout_us=1,
    queue_timeout_us=0,
    after=(),
    after_failure="cancel",
)
ASKED_OF_ALL: Final = {
    "kind", "queue", "priority", "delay_us", "digest", "input", "attempts_max", "backoff_base_us", "backoff_cap_us",
    "run_timeout_us", "queue_timeout_us", "criticality", "is_version_asked",
}  # fmt: skip
"""What the row or the entry of each job tells, or what matters to admission and the key alone."""

FEW_HAVE: Final[dict[str, Any]] = {
    "key": "k",
    "after": ("job_x",),
    "after_failure": "run",
    "tags": ("eu",),
    "cost": 2,
    "version": 2,
    "partition": "p",
    "budget": (("EUR", 1),),
    "deadline_after_us": 1,
    "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
}


def test_most_jobs_are_plain() -> None:
    assert is_plain(PLAIN)


@pytest.mark.parametrize("name", FEW_HAVE)
def test_a_job_is_not_plain_that_asks_for_what_few_have(name: str) -> None:
    assert not is_plain(replace(PLAIN, **{name: FEW_HAVE[name]}))


def test_nothing_that_a_job_may_ask_for_is_forgotten() -> None:
    assert {*ASKED_OF_ALL, *FEW_HAVE} == set(NewJob.__struct_fields__)
