"""The real decider, which tells the auditor what it does."""

from __future__ import annotations

from collections.abc import Sequence

from sheratan.contracts.limits import Limits
from sheratan.engine.batch import Batch
from sheratan.engine.commands import LeaseJobs, Pending
from sheratan.engine.decider import Decider
from sheratan.simulation.auditor import Auditor, Decided
from sheratan.store.sqlite.reader import SqliteReader

__all__ = ["observed"]


def observed(auditor: Auditor, limits: Limits, reader: SqliteReader) -> type[Decider]:
    """The real decider, which tells the auditor what it does. The auditor looks at the store through `reader`."""

    class Observed(Decider):
        """Tells the auditor."""

        def start(self, version: str) -> Batch:
            """Take over the shard."""
            batch = super().start(version)
            auditor.open(self, batch.unit.head, reader)
            auditor.decided(self, Decided("start", (), set(), batch, limits))
            return batch

        def stop(self) -> Batch:
            """Say that the engine stops."""
            batch = super().stop()
            auditor.decided(self, Decided("stop", (), set(), batch, limits))
            return batch

        def decide(self, commands: Sequence[Pending]) -> Batch:
            """Decide a batch."""
            waiting = [one.waiting for one in self.state.sessions.values() if one.waiting is not None]
            waiting += [pending for pending in commands if type(pending.command) is LeaseJobs]
            abandoned = {id(pending) for pending in waiting if pending.is_abandoned}
            batch = super().decide(commands)
            auditor.decided(self, Decided("batch", tuple(commands), abandoned, batch, limits))
            return batch

        def halt(self, reason: str) -> Batch:
            """Say that the engine has halted: what is stored contradicts what it has in memory, or it has a bug."""
            auditor.halted(self, reason)
            return super().halt(reason)

        def committed(self, batch: Batch) -> None:
            """The batch is durable."""
            super().committed(batch)
            auditor.committed(self, batch)

        def failed(self) -> list[Pending]:
            """The batch was not written."""
            waited = super().failed()
            auditor.failed(self, waited)
            return waited

    return Observed
