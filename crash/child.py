"""A module of the battery as a process of its own, which may fork with one thread and no database open."""

from __future__ import annotations

import subprocess
import sys
from typing import TypeVar

import msgspec

__all__ = ["ask"]

Answer = TypeVar("Answer")


def ask(module: str, order: msgspec.Struct, answer: type[Answer]) -> Answer:
    """Run the module with an order as JSON on its stdin; what it says on stdout is its answer, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=answer)
