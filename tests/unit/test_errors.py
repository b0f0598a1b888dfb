"""The error tree: stable codes, and the way over the wire and back."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from sheratan.contracts import errors
from sheratan.contracts.errors import InternalError, SheratanError, error_classes, error_from_wire
from sheratan.contracts.jobs import ErrorClass

CLASSES = list(error_classes().values())


def test_every_public_class_is_in_the_tree_under_a_code_of_its_own() -> None:
    public = {
        getattr(errors, name)
        for name in errors.__all__
        if isinstance(getattr(errors, name), type) and issubclass(getattr(errors, name), SheratanError)
    }
    assert public <= set(CLASSES)
    assert len({cls.code for cls in public}) == len(public)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
def test_an_error_comes_back_from_the_wire_as_it_was(cls: type[SheratanError]) -> None:
    made = cls("it went wrong", field="input/a", job="job_1", count=3)
    back = error_from_wire(json.loads(json.dumps(made.to_wire())))
    assert type(back) is cls
    assert (back.detail, back.field, back.extra) == ("it went wrong", "input/a", {"job": "job_1", "count": 3})
    assert str(back) == "input/a: it went wrong"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
def test_every_class_says_what_it_means_and_how_it_ends_a_program(cls: type[SheratanError]) -> None:
    assert cls.__doc__
    assert 400 <= cls.status < 600
    assert cls.exit_code in (1, 2, 3, 4, 5, 124)
    assert not (cls.retryable and cls.status < 429)


@pytest.mark.parametrize(
    "wire", [{}, {"code": "from_the_future", "detail": "x"}, {"code": None, "extra": None}]
)
def test_an_unknown_code_is_a_bug_and_not_a_crash(wire: dict[str, object]) -> None:
    assert type(error_from_wire(wire)) is InternalError


def test_the_error_classes_of_attempts_are_those_of_the_design() -> None:
    assert set(get_args(ErrorClass)) == {
        "retryable", "fatal", "rate_limited", "timeout", "lost_lease", "bug",
    }  # fmt: skip
