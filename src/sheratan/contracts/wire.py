"""Frames of the local socket: one JSON object per line, requests one way, answers and stream items the other.

A request has an `id` of the caller's choice; its answers carry the same. `value` is the answer or a stream's next
item, `error` a refusal, `done` the last frame of that id.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["FRAME_BYTES_SPARE", "SOCKET_NAME", "AnswerFrame", "RequestFrame"]

SOCKET_NAME: Final = "sheratan.sock"

FRAME_BYTES_SPARE: Final = 65_536
"""A frame may be this much longer than the largest payload, for the envelope around it."""


class RequestFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request: which method, with which parameters."""

    id: int
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


class AnswerFrame(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer, a refusal, or an item of a stream."""

    id: int
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: dict[str, Any] | None = None
    done: bool = True
