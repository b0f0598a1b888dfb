"""Example sentences: what the program tells of an entry whose values are placeholders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sheratan.contracts.journal import Entry
from sheratan.kernel.story import tell

OPTIONAL = {"reason", "error", "attempt"}
"""What `data.get` finds: the fuller of two sentences is shown."""


NUMBERS = {
    "due_us": 0,
    "instant_us": 0,
    "from_us": 0,
    "until_us": 0,
    "needed": 2,
    "step_us": 3_600_000_000,
    "held": 2,
    "running": 2,
    "refused": 2,
    "since_us": -12_000_000,
    "keep_us": 7_776_000_000_000,
    "numbers": [[1, 2]],
}
LIMITS = {"concurrency": 5, "rate": [100, 60_000_000, 10], "weight": 2}
"""Values that the sentence counts with."""

DIFFERENCE = {"what": "other", "step": "<step>", "recorded": "<recorded>", "asked": ["<asked>"]}


def example_sentence(entry_type: str) -> str:
    """The sentence that `tell` makes of an entry, with the names of its values in angle brackets."""
    entry = Entry(
        seq=0, at=0, tenant="default", type=entry_type, subject=Slot("<subject>"), actor=Slot("<actor>"),
        on_behalf_of=Slot("<actor>"), auth="peer", policy=0, prev="", data=Slots(),
    )  # fmt: skip
    return f"“{tell(entry)}”"


class Slot(str):
    """A placeholder that also passes for a list of itself."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        return iter((self,))

    def __getitem__(self, key: Any) -> Slot:
        return self

    def __len__(self) -> int:
        return 2


class Slots(dict[str, Any]):
    """An entry's data in which every value is there, named after its key."""

    def __missing__(self, key: str) -> Any:
        if key in NUMBERS:
            return NUMBERS[key]
        if key == "limits":
            return LIMITS
        if key == "difference":
            return DIFFERENCE
        return Slots() if key == "error" else Slot(f"<{key}>")

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in OPTIONAL else default
