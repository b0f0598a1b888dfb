"""Tests as plain functions: each has its own virtual loop, and no plugin is needed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from sheratan.contracts.limits import Limits
from sheratan.sdk.kind import Kind
from sheratan.testing.loop import REAL_SECONDS_MAX, VirtualLoop
from sheratan.testing.world import START, world

__all__ = ["in_world", "run"]

T = TypeVar("T")


def run(function: Callable[[], Coroutine[Any, Any, T]], *, real_seconds_max: float = REAL_SECONDS_MAX) -> T:
    """Run an async function on a virtual loop of its own, and return what it gives.

    TooSlow when it takes more than `real_seconds_max` of real time; NothingLeft when it waits in vain.
    """
    with asyncio.Runner(loop_factory=partial(VirtualLoop, real_seconds_max)) as runner:
        return runner.run(function())


def in_world(
    kinds: Sequence[Kind[Any, Any] | ModuleType] = (),
    *,
    real_seconds_max: float = REAL_SECONDS_MAX,
    limits: Limits | None = None,
    start: datetime | str = START,
    blocked_seconds: float | None = None,
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Make an async test a plain one, which is given a world first (see `world`), and then what it is called with.

    So fixtures of pytest work as ever: the world is not among the parameters of what comes out.
    """

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        def plain(*given: Any, **named: Any) -> None:
            async def within() -> None:
                async with world(kinds, limits=limits, start=start, blocked_seconds=blocked_seconds) as made:
                    await test(made, *given, **named)

            run(within, real_seconds_max=real_seconds_max)

        plain.__name__, plain.__qualname__ = test.__name__, test.__qualname__
        plain.__module__, plain.__doc__ = test.__module__, test.__doc__
        plain.__dict__.update(test.__dict__)  # marks of pytest that stand below, such as parametrize and skip
        signature = inspect.signature(test)
        rest = list(signature.parameters.values())[1:]
        plain.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        return plain

    return decorate
