"""Idempotency keys of runs: the same key with the same request is the same run, with another request a conflict.

They are apart from those of jobs: one text may stand for a job and for a run.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.errors import IdempotencyConflict
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.run_ids import run_ids
from sheratan.kernel.canonical import canonical, digest
from sheratan.store.run_rows import RunKeyRow, RunRow

__all__ = ["RunRequest", "find_existing_run", "find_run_of_key", "run_state", "use_key"]


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the key of a run stands for: the SHA-256 digests of the declaration and of the canonical input.

    For one that continues another run, also the number of that, and the node from which all runs anew.

    The options that kinds give their jobs are not part of it: they may change between two calls that ask for the same.
    """

    version: str
    input: str
    origin: int | None = None
    node: str | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of the whole."""
        request: dict[str, Any] = {"workflow": self.version, "input": self.input}
        if self.origin is not None:
            request |= {"origin": self.origin, "node": self.node}
        return digest(canonical(request))


def find_existing_run(batch: Batch, key: str | None, request: RunRequest, by: Principal) -> str | None:
    """The run that this key made, if the request is the same; a conflict that names the field, if it is not."""
    if key is None:
        return None
    found = _find(batch, by.tenant, key)
    if found is None:
        return None
    run, known = _run(batch, found.run), _id(batch, found.run)
    if found.digest.hex() == request.digest:
        return known
    # Of a run that was pruned the digest of its request is left, and not what it was in.
    field = "key" if run is None else _other_field(run, request)
    other = "another request" if run is None else f"another {field}; use another key, or the same {field}"
    raise IdempotencyConflict(f"key {key!r} was used for {known} with {other}", field=field, run=known)


def find_run_of_key(batch: Batch, tenant: str, key: str) -> str | None:
    """The run that a key has made, whatever was asked for under it."""
    found = _find(batch, tenant, key)
    return None if found is None else _id(batch, found.run)


def run_state(batch: Batch, number: int) -> tuple[str, str]:
    """The id of a run, and its state as of this batch."""
    known = batch.state.runs.open.get(number)
    if known is not None:
        return known.id, known.place.state
    moved = batch.unit.run_moves.get(number)
    # A run that is open and not known was begun by another engine: this one is deposed, and finds out when it commits.
    place = batch.state.store.run_place(number) if moved is None else moved[1]
    assert place is not None, "a run that was begun is in a place until it is pruned"
    return _id(batch, number), place.state


def use_key(batch: Batch, key: str, request: RunRequest, run: RunRow) -> dict[str, str]:
    """A key stands for a new run from now on; returns what the run's entry says of it."""
    asked = request.digest
    batch.unit.run_keys[run.tenant, key] = RunKeyRow(run.tenant, key, bytes.fromhex(asked), run.number)
    return {"key": digest(key.encode()), "request": asked}


def _find(batch: Batch, tenant: str, key: str) -> RunKeyRow | None:
    return batch.unit.run_keys.get((tenant, key)) or batch.state.store.find_run_key(tenant, key)


def _run(batch: Batch, number: int) -> RunRow | None:
    """A run that exists; None when it was pruned."""
    known = batch.state.runs.open.get(number)
    return next(iter(batch.state.store.runs([number])), None) if known is None else known.row


def _id(batch: Batch, number: int) -> str:
    """The public id of a run that exists, or that was pruned."""
    known = batch.state.runs.open.get(number)
    return run_ids(batch.state.store, [number])[number] if known is None else known.id


def _other_field(run: RunRow, request: RunRequest) -> str:
    """In which field a request differs from the one that made a run."""
    if run.origin != request.origin:
        return "id"
    if run.version.hex() != request.version:
        return "workflow"
    kept = run.payload.hex() if run.payload else digest(run.input or b"")
    return "input" if kept != request.input else "node"
