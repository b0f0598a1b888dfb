"""An engine inside a program: submit, wait, and ask why. Run it with a folder: python embedded.py DATA."""

from __future__ import annotations

import asyncio
import sys

import sheratan


@sheratan.job
async def greet(name: str) -> str:
    """Say hello."""
    return f"Hello, {name}."


async def main(data: str) -> None:
    """Greet somebody, and tell how that came about."""
    async with sheratan.open(data, [greet]) as client:
        handle = await client.submit(greet, "Ada", key="greet-ada")
        print(await handle.result(timeout_seconds=30))
        for line in (await handle.why()).lines:
            print(f"  [{line.entry}] {line.text}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
