"""A kind for the cases about storage: its input is what fills a disk."""

from __future__ import annotations

from sheratan import job

__all__ = ["weigh"]


@job
async def weigh(text: str) -> int:
    """Say how long a text is."""
    return len(text)
