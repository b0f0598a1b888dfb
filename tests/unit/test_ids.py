"""Job ids: what they say, and what is no id."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.errors import SheratanError
from sheratan.contracts.ids import (
    JOB_NUMBER_MAX,
    SALT_BITS,
    format_job_id,
    format_run_id,
    parse_job_id,
    parse_run_id,
)

addresses = st.tuples(
    st.integers(0, (1 << 48) - 1),
    st.integers(0, (1 << 12) - 1),
    st.integers(0, JOB_NUMBER_MAX),
    st.integers(0, (1 << SALT_BITS) - 1),
)


@given(addresses)
def test_an_id_says_what_it_was_made_of(address: tuple[int, int, int, int]) -> None:
    assert parse_job_id(format_job_id(*address)) == address


@given(addresses)
def test_an_id_is_a_uuid_of_version_7(address: tuple[int, int, int, int]) -> None:
    made = uuid.UUID(format_job_id(*address).removeprefix("job_"))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


@given(addresses, addresses)
def test_ids_are_ordered_by_their_instant(
    one: tuple[int, int, int, int], two: tuple[int, int, int, int]
) -> None:
    if one[0] != two[0]:
        assert (format_job_id(*one) < format_job_id(*two)) == (one[0] < two[0])


GOOD = format_job_id(1_700_000_000_000, 0, 1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job_",
        GOOD[:-1],
        GOOD + "0",
        GOOD + "\n",
        " " + GOOD,
        GOOD.upper(),
        GOOD.replace("job_", "run_"),
        GOOD.removeprefix("job_"),
        "job_" + "0" * 32,
        "job_" + "f" * 32,
        GOOD[:16] + "4" + GOOD[17:],
        GOOD[:20] + "0" + GOOD[21:],
        "job_" + "\u0660" * 32,
    ],
)
def test_what_is_no_job_id_is_refused_by_field(text: str) -> None:
    with pytest.raises(SheratanError) as refused:
        parse_job_id(text)
    assert refused.value.field == "id"


def test_a_refusal_does_not_repeat_megabytes() -> None:
    with pytest.raises(SheratanError) as refused:
        parse_job_id("x" * 1_000_000)
    assert len(str(refused.value)) < 300


@given(addresses)
def test_the_id_of_a_run_says_what_it_was_made_of_and_is_no_jobs(address: tuple[int, int, int, int]) -> None:
    made = format_run_id(*address)
    assert parse_run_id(made) == address
    assert uuid.UUID(made.removeprefix("workflow_")).version == 7
    with pytest.raises(SheratanError):
        parse_job_id(made)
    with pytest.raises(SheratanError):
        parse_run_id(format_job_id(*address))
