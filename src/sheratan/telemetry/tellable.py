"""What of a text may be told outside: not too much, and nothing that looks like a credential."""

from __future__ import annotations

from typing import Final

from sheratan.kernel.secret_text import find_secret_in

__all__ = ["VALUE_LENGTH_MAX", "tellable"]

VALUE_LENGTH_MAX: Final = 2_000
"""Characters of one value: a sentence with a person's reason fits, a list of a thousand kinds does not."""


def tellable(value: str) -> str:
    """The value or, where it seems to hold a credential, which kind of one."""
    found = find_secret_in(value)
    return value[:VALUE_LENGTH_MAX] if found is None else f"[left out: {found}]"
