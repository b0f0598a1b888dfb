"""Ids: bigint numbers inside, prefixed UUIDv7 text outside (RFC 9562 section 5.7).

A job id carries its own address, so finding a job by id needs no index:

    48 bits  milliseconds since the epoch, when the job was submitted
     4 bits  version 7
    12 bits  shard
     2 bits  variant
    42 bits  job number within the shard
    20 bits  salt, drawn at random, so that ids are not simply counted up

The id of a workflow's run has the same form behind `workflow_`; runs are numbered on their own.
Ids are names, not secrets: nothing is authorised by knowing one.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NewType

from sheratan.contracts.errors import InvalidInput, NotFound

__all__ = [
    "JOB_NUMBER_MAX",
    "RUN_PREFIX",
    "SALT_BITS",
    "JobAddress",
    "JobId",
    "JobNumber",
    "RunId",
    "SessionNumber",
    "format_job_id",
    "format_run_id",
    "look_up_job_id",
    "look_up_run_id",
    "number_of",
    "parse_job_id",
    "parse_run_id",
]

JobId = NewType("JobId", str)
JobNumber = NewType("JobNumber", int)
RunId = NewType("RunId", str)
SessionNumber = NewType("SessionNumber", int)

NUMBER_BITS = 42
SALT_BITS = 20
JOB_NUMBER_MAX = (1 << NUMBER_BITS) - 1
_PREFIX = "job_"
_VERSION_BITS = (0x7 << 76) | (0b10 << 62)
_VERSION_MASK = (0xF << 76) | (0b11 << 62)
RUN_PREFIX = "workflow_"
_is_job_id = re.compile("job_[0-9a-f]{32}").fullmatch
_is_run_id = re.compile("workflow_[0-9a-f]{32}").fullmatch


class JobAddress(NamedTuple):
    """What the id of a job or a run says: `milliseconds` since the epoch, `shard`, `number`, `salt`."""

    milliseconds: int
    shard: int
    number: int
    salt: int


def format_job_id(milliseconds: int, shard: int, number: int, salt: int) -> JobId:
    """The public id of a job."""
    value = (milliseconds << 80) | _VERSION_BITS | (shard << 64) | (number << SALT_BITS) | salt
    return JobId("job_%032x" % value)  # noqa: UP031 - twice as fast here, and this runs for every job


def format_run_id(milliseconds: int, shard: int, number: int, salt: int) -> RunId:
    """The public id of a run."""
    return RunId(RUN_PREFIX + format_job_id(milliseconds, shard, number, salt).removeprefix(_PREFIX))


def number_of(job_id: JobId | str) -> int:
    """The job number in an id that we made ourselves."""
    # The salt is the last five digits; a number is parsed in half the time when it fits into a machine word.
    return int(job_id[-16:-5], 16) & JOB_NUMBER_MAX


def look_up_job_id(text: str) -> JobAddress:
    """The address inside an id that somebody asks for; what is no job id names no job, so it is NotFound."""
    try:
        return parse_job_id(text)
    except InvalidInput as error:
        raise NotFound(f"there is no such job: {error.detail}", field="id") from None


def parse_job_id(text: str, field: str = "id") -> JobAddress:
    """The address inside a job id; anything else raises InvalidInput naming the field."""
    if not _is_job_id(text):
        raise InvalidInput(
            f"{text[:60]!r} is not a job id: job_ and 32 lower-case hexadecimal digits", field=field
        )
    return _address(text, text[len(_PREFIX) :])


def look_up_run_id(text: str) -> JobAddress:
    """The address inside the id of a run that somebody asks for; what is none names no run, so it is NotFound."""
    try:
        return parse_run_id(text)
    except InvalidInput as error:
        raise NotFound(f"there is no such run: {error.detail}", field="id") from None


def parse_run_id(text: str) -> JobAddress:
    """The address inside the id of a run; anything else raises InvalidInput naming `id`."""
    if not _is_run_id(text):
        raise InvalidInput(
            f"{text[:60]!r} is not the id of a run: workflow_ and 32 lower-case hexadecimal digits",
            field="id",
        )
    return _address(text, text[len(RUN_PREFIX) :])


def _address(text: str, digits: str) -> JobAddress:
    value = int(digits, 16)
    if value & _VERSION_MASK != _VERSION_BITS:
        raise InvalidInput(f"{text!r} is not a UUID of version 7", field="id")
    return JobAddress(
        value >> 80,
        (value >> 64) & 0xFFF,
        (value >> SALT_BITS) & JOB_NUMBER_MAX,
        value & ((1 << SALT_BITS) - 1),
    )
