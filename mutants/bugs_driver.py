"""Planted bugs of the loop around the decider: when it answers, when it wakes, what it does when a commit fails."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_DRIVER = "engine/driver.py"
_DECIDER = "engine/decider.py"
_UNIT = "store/unit.py"
_ANSWERS = "        for pending, value, error in batch.answers:\n            pending.answer(value, error)\n"

BUGS = (
    Bug(
        "answer-before-commit",
        "everybody is answered before the commit",
        "safety",
        "E1",
        (
            Change(
                _DRIVER,
                "        unit = batch.unit\n        if not unit.is_empty:\n",
                f"        unit = batch.unit\n{_ANSWERS}        if not unit.is_empty:\n",
            ),
        ),
    ),
    Bug(
        "success-after-failed-commit",
        "when a commit fails, everybody hears what would have been",
        "safety",
        "E1",
        (
            Change(
                _DRIVER,
                "            await self._commit(batch)\n        except BaseException as error:\n",
                "            try:\n"
                "                await self._commit(batch)\n"
                "            except Unavailable:\n"
                "                for pending, value, error in batch.answers:\n"
                "                    pending.answer(value, error)\n"
                "                raise\n"
                "        except BaseException as error:\n",
            ),
        ),
    ),
    Bug(
        "memory-kept-after-failed-commit",
        "after a commit that failed the memory stays as it was to be",
        "safety",
        "J14",
        (Change(_DRIVER, "            waiting = self._decider.failed()\n", "            waiting = []\n"),),
    ),
    Bug(
        "outage-not-recorded",
        "that nothing could be written for a while is not recorded",
        "explanation",
        "J9",
        (
            Change(
                _DECIDER,
                "        if self.outage is not None:\n            # It is over",
                "        if self.outage is ...:\n            # It is over",
            ),
        ),
    ),
    Bug(
        "outage-never-over",
        "that nothing could be written is recorded again with every batch",
        "explanation",
        "J9",
        (Change(_DECIDER, "        self.outage = None\n        self.state.head", "        self.state.head"),),
    ),
    Bug(
        "outage-counts-anew",
        "of the requests that were refused only the last ones are recorded",
        "explanation",
        "J9",
        (Change(_DECIDER, "before + refused", "refused"),),
    ),
    Bug(
        "goes-on-after-io-error",
        "an I/O error is treated as a disk that is full: the engine tries again",
        "safety",
        "E17",
        (
            Change(
                _DRIVER,
                "        except Unavailable as error:\n",
                "        except (Unavailable, CorruptData) as error:\n",
            ),
        ),
    ),
    Bug(
        "lease-calls-forgotten-after-failure",
        "after a commit that failed the lease calls that waited are never answered",
        "liveness",
        "E9",
        (Change(_DRIVER, "                pending.answer([], None)\n", "                continue\n"),),
    ),
    Bug(
        "command-does-not-wake",
        "a command that comes while nothing happens waits for the next alarm",
        "liveness",
        "E9",
        (
            Change(
                _DRIVER,
                "or self._decider.state.busy_lanes:\n            self._wake.set()\n",
                "or self._decider.state.busy_lanes:\n            return\n",
            ),
        ),
    ),
    Bug(
        "lease-call-does-not-wake",
        "a lease call waits for the next command although jobs are ready",
        "liveness",
        "E9",
        (
            Change(
                _DRIVER,
                "if type(pending.command) is not LeaseJobs or self._decider.state.busy_lanes:",
                "if type(pending.command) is not LeaseJobs:",
            ),
        ),
    ),
    Bug(
        "alarm-does-not-wake",
        "time wakes nobody up",
        "liveness",
        "E9",
        (
            Change(
                _DRIVER,
                "        self._alarm = None\n        self._wake.set()\n",
                "        self._alarm = None\n",
            ),
        ),
    ),
    Bug(
        "alarm-only-ever-later",
        "an alarm is kept although something is due before it",
        "liveness",
        "E9",
        (Change(_DRIVER, "if self._alarm.when() <= due:", "if self._alarm.when() >= due:"),),
    ),
    Bug(
        "wake-lost",
        "a command that comes during a slow commit is seen to with the next one",
        "liveness",
        "E9",
        (
            Change(
                _DRIVER,
                "            self._wake.clear()\n            more = await self._turn() or len(self._inbox) > 0\n",
                "            more = await self._turn()\n            self._wake.clear()\n",
            ),
        ),
    ),
    Bug(
        "drain-forgotten-after-failure",
        "an engine that drains is open again after a commit that failed",
        "safety",
        "E17",
        (
            Change(
                "engine/system.py",
                "_put(batch, row._replace(draining=entry))",
                "batch.state.stand(row._replace(draining=entry))",
            ),
        ),
    ),
    Bug(
        "fan-out-forgotten-after-failure",
        "after a commit that failed, what each attempt has submitted is counted from zero",
        "safety",
        "E16",
        (Change(_DECIDER, "        self.state.fan_out = fan_out\n", ""),),
    ),
    Bug(
        "worker-links-to-lost-entry",
        "after a commit that failed a worker's next entry links to one that was never written",
        "explanation",
        "J14",
        (Change(_DECIDER, "            _forget_entries(session, lost)\n", ""),),
    ),
    Bug(
        "head-instant-not-kept",
        "the head keeps the instant of the entry before",
        "safety",
        "J9",
        (Change(_UNIT, "self.at_us if self.lines else self.head.at)", "self.head.at)"),),
    ),
    Bug(
        "prev-of-the-page",
        "each entry names the hash of its page's first entry",
        "safety",
        "J2",
        (
            Change(
                _UNIT,
                "        self._hash = entry_hash(line)\n",
                "        self._hash = entry_hash(self.lines[0] if self.lines else line)\n",
            ),
        ),
    ),
    Bug(
        "entry-forgotten",
        "that a job's delay is over is not recorded",
        "safety",
        "J5",
        (
            Change(
                _UNIT,
                "        self.lines.append(line)\n",
                '        if entry_type != "job.due":\n            self.lines.append(line)\n',
            ),
        ),
    ),
    Bug(
        "move-without-entry",
        "a job is released by the entry of the job that it ran after, not by one of its own",
        "safety",
        "J5",
        (
            Change(
                "engine/follow.py",
                "    at_us, number = batch.at_us, job.number\n",
                "    at_us, number = batch.at_us, job.number\n"
                "    batch.unit.lines.pop()\n"
                "    batch.unit._hash, batch.unit._seq = batch.unit.entries.pop().prev, entry\n"
                "    entry = result.entry\n",
            ),
            Change(
                _UNIT,
                "            check_transition(state_of(before), state_of(after),",
                "            0 and check_transition(state_of(before), state_of(after),",
            ),
        ),
    ),
    Bug(
        "hash-of-a-part",
        "an entry's hash does not cover the end of its line",
        "safety",
        "J2",
        (
            Change(
                "kernel/chain.py", "hashlib.sha256(line).hexdigest()", "hashlib.sha256(line[:-1]).hexdigest()"
            ),
        ),
    ),
    Bug(
        "keys-not-sorted",
        "the bytes of an entry depend on the order in which it was made",
        "safety",
        "J8",
        (Change("kernel/chain.py", "return _encode(entry)", "return msgspec.json.encode(entry)"),),
    ),
    Bug(
        "waiters-not-woken",
        "who waits for the end of a job is not told",
        "liveness",
        "E9",
        (
            Change(
                "engine/engine.py",
                "                    future.set_result(ended)\n",
                "                    continue\n",
            ),
        ),
    ),
    Bug(
        "stops-not-sent",
        "attempts are not told to stop",
        "liveness",
        "E12",
        (
            Change(
                "engine/engine.py",
                "                queue.put_nowait(request)\n",
                "                continue\n",
            ),
        ),
    ),
)
