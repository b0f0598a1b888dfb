"""`sheratan` and `python -m sheratan`."""

from __future__ import annotations

import sys

from sheratan import wiring

__all__ = ["main"]


def main() -> None:
    """Run the command line and end with its exit code."""
    sys.exit(wiring.main())


if __name__ == "__main__":
    main()
