"""The texts of callers that enter the journal as they are."""

from __future__ import annotations

from sheratan.contracts.errors import InvalidInput
from sheratan.kernel.secret_text import find_secret_in

__all__ = ["check_reason"]


def check_reason(text: str, field: str = "reason") -> None:
    """Refuse a text that seems to hold a secret: the journal forgets nothing."""
    found = find_secret_in(text)
    if found is not None:
        raise InvalidInput(f"it seems to hold {found}, and what is written down stays", field=field)
