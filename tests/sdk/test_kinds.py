"""Functions that become kinds, and those that cannot: what is wrong with them is said where they are defined."""

from __future__ import annotations

from typing import Any

import pytest

import sheratan
from sheratan.contracts.errors import InvalidInput


def test_an_option_that_is_none_is_refused_with_those_that_are() -> None:
    options: dict[str, Any] = {"timeout_seconds": 20}
    with pytest.raises(
        InvalidInput, match=r"there is no option 'timeout_seconds'; there are .*run_timeout_seconds"
    ) as one:

        @sheratan.job(**options)
        async def work() -> None: ...

    assert str(one.value.field).startswith("@job of test_an_option")


def test_a_context_that_does_not_come_first_is_refused_with_where_it_belongs() -> None:
    with pytest.raises(InvalidInput, match=r"takes a context, `ctx: Context`, first, and one input at most"):

        @sheratan.job
        async def work(value: int, ctx: sheratan.Context) -> None: ...
