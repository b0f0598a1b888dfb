"""The processes of CPU-bound handlers."""

from __future__ import annotations

from pathlib import Path

from sheratan.sdk.processes import ProcessPool


def test_a_process_is_the_first_to_go_before_it_has_begun() -> None:
    pool = ProcessPool(1)
    child = pool._start()
    try:
        assert int(Path(f"/proc/{child.process.pid}/oom_score_adj").read_text("ascii")) >= 500
    finally:
        child.process.kill()
        child.process.join()
        child.pipe.close()
        pool.close()
