"""Fan out and in: a job that submits a job per file, and one that runs after them. Run: python fan_out.py DATA."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import sheratan
from sheratan import Context, job


@job(queue="lines")
def count_lines(path: str) -> int:
    """Count the lines of a file, in a thread."""
    return len(Path(path).read_text("utf-8").splitlines())


@job(queue="lines")
async def add_up(ctx: Context) -> int:
    """Add up what the jobs before this one gave; those that failed give nothing."""
    return sum([ended.output async for ended in ctx.after_results() if ended.state == "succeeded"])


@job(queue="lines")
async def count_folder(ctx: Context, folder: str) -> str:
    """Submit the jobs for a folder and return the id of the last one. The keys make a second run harmless."""
    paths = await asyncio.to_thread(lambda: sorted(str(path) for path in Path(folder).glob("*.py")))
    files = [count_lines.submission(path, key=f"{ctx.job_id}/{path}") for path in paths]
    ids = await ctx.submit(files)
    total = add_up.submission(after=tuple(ids), after_failure="run", key=f"{ctx.job_id}/total")
    (total_id,) = await ctx.submit([total])
    return total_id


async def main(data: str) -> None:
    """Count the lines of the examples."""
    async with sheratan.open(data, [count_lines, add_up, count_folder]) as client:
        total_id = await client.run(count_folder, str(Path(__file__).parent))
        record = await client.wait(total_id, timeout_seconds=30)
        print(f"{record.output} lines in {len((await client.job(total_id)).after)} files")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
