"""A process that asks a server for random changes of the system's state, and says what it was told of each."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import get_args

from sheratan import Client
from sheratan.contracts.errors import Conflict, Unavailable
from sheratan.contracts.system import SystemState, TargetState

TARGETS: tuple[TargetState, ...] = get_args(TargetState)


async def race(data: str, name: str, first: int, count: int) -> None:
    """Ask so many times, the first time under this number; end when the server has gone."""
    draw = random.Random(f"{name} {first}")
    async with await Client.connect(data) as client:
        for number in range(first, first + count):
            reason = f"{name}:{number}"
            seen: SystemState = (await client.state()).state
            expected = draw.choice((None, seen, seen))
            print(reason, "asked", flush=True)
            try:
                changed = await client.change_state(draw.choice(TARGETS), reason=reason, expected=expected)
            except Conflict:
                print(reason, "refused", flush=True)
            else:
                print(reason, "changed" if changed else "kept", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(race(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    except Unavailable:
        sys.exit(3)
