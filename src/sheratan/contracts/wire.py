"""Frames of the local socket: one JSON object per line, requests one way, answers and stream items the other.

A request has an `id` of the caller's choice; its answers carry the same. `value` is the answer or a stream's next
item, `error` a refusal, `done` the last frame of that id. The method `cancel` names an earlier `id` that nobody waits
for any more; neither is answered then, and what the earlier one has changed stays so. With `timeout_us` new work that
the engine has not begun in time is refused as `deadline_exceeded`, and nothing of it was done.

A request longer than twice `limits.payload_bytes_max` and `FRAME_BYTES_SPARE` is refused unread: under its own `id`
when the object begins with that, else under -1, and then the connection ends.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

__all__ = ["CANCEL", "FRAME_BYTES_SPARE", "SOCKET_NAME", "AnswerFrame", "CancelParams", "RequestFrame"]

SOCKET_NAME: Final = "sheratan.sock"

CANCEL: Final = "cancel"

FRAME_BYTES_SPARE: Final = 65_536
"""A frame may be this much longer than the largest payload, for the envelope around it."""


class RequestFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A request: which method, with which parameters, and for how many microseconds the caller waits for an answer."""

    id: int
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    timeout_us: Annotated[int, msgspec.Meta(ge=1)] | None = None


class CancelParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request that nobody waits for any more."""

    id: int


class AnswerFrame(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer, a refusal, or an item of a stream."""

    id: int
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: dict[str, Any] | None = None
    done: bool = True
