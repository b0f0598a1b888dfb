"""What every request of the API is, and what several of them say."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["Reason", "Request"]

Reason = Annotated[str, msgspec.Meta(max_length=1_000)]
"""Why a person does something: at most 1,000 characters. It stands in the journal for good."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something asked of an engine; its class decides the method and the type of the answer."""
