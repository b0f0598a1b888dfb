"""What can be wrong with a declared workflow."""

from __future__ import annotations

import msgspec

__all__ = ["Problem"]


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with a declaration: the field, as a JSON Pointer without its first `/`, and what is wrong."""

    field: str
    detail: str

    def within(self, place: int) -> Problem:
        """The same of a workflow that another one brings along in this place."""
        return Problem(f"workflows/{place}/{self.field}", self.detail)
