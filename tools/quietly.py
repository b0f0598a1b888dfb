"""Run `python -m tools.quietly NAME COMMAND...`: one line if it succeeds, all it said if it fails."""

from __future__ import annotations

import subprocess
import sys


def main(name: str, command: list[str]) -> int:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    if done.returncode == 0:
        print(f"{name}: ok")
        return 0
    print(done.stdout.rstrip(), file=sys.stderr)
    print(f"{name}: failed ({' '.join(command)})", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
