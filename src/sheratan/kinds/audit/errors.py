"""The error raised when an audit is asked for with unusable input."""

from __future__ import annotations


class AuditInputError(ValueError):
    """An argument of an audit function cannot be used.

    `field` names the argument, `reason` says what is wrong with it.
    """

    def __init__(self, field: str, reason: str) -> None:
        """Keep the field and the reason apart so that a caller can show either."""
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
