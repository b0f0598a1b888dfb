"""Jobs that a handler spawns, and waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Unpack

if TYPE_CHECKING:
    from sheratan.contracts.jobs import Submission
    from sheratan.sdk.context import Context
    from sheratan.sdk.options import SubmissionOptions

__all__ = ["Child", "Offered"]


class Offered(Protocol):
    """A kind, as `@job` makes it."""

    @property
    def name(self) -> str:
        """The kind's name."""
        ...

    def submission(self, value: Any = None, **options: Unpack[SubmissionOptions]) -> Submission:
        """A job of this kind to be submitted."""
        ...

    def read_output(self, value: Any) -> Any:
        """The output from a JSON value."""
        ...


class Child:
    """A job that a handler has spawned."""

    __slots__ = ("_context", "_kind", "id")

    def __init__(self, context: Context, job_id: str, kind: Offered | None) -> None:
        self.id = job_id
        self._context = context
        self._kind = kind

    def __repr__(self) -> str:
        return f"<child {self.id}>"

    async def result(self, timeout_seconds: float | None = None) -> Any:
        """Its output once it has succeeded, as `ctx.gather` of it alone."""
        [output] = await self._context.gather(self, timeout_seconds=timeout_seconds)
        return output

    def read_output(self, value: Any) -> Any:
        """Its output from a JSON value, of the type that its kind gives."""
        return value if self._kind is None else self._kind.read_output(value)
