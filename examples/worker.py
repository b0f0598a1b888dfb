"""A server in one process, a worker in another: python worker.py DATA.

This program starts `sheratan up` for the data folder, and is then the worker. A worker that is a process of its own
would do nothing but `await Worker(client, [shout]).run()`, under a supervisor that starts it again when the server
was restarted.
"""

from __future__ import annotations

import asyncio
import sys

from sheratan import Client, Worker, job


@job(queue="shouts")
def shout(text: str) -> str:
    """Shout, in a thread."""
    return text.upper()


async def main(data: str) -> None:
    """Run a server, work for it, and stop it."""
    command = [sys.executable, "-m", "sheratan", "up", "--data", data]
    server = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        assert server.stderr is not None
        while (line := await server.stderr.readline()).strip() != b"ready":
            assert line, "the server ended before it was ready"
        async with await Client.connect(data) as client, Worker(client, [shout], name="second"):
            print(await client.run(shout, "is anybody there?"))
            print(", ".join((await client.status()).workers))
    finally:
        server.terminate()
        await server.communicate()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
