"""The part of the model that knows schedules which run workflows."""

from __future__ import annotations

import json

from sheratan.engine.commands import CreateSchedule, Pending
from sheratan.kernel.canonical import canonical
from sheratan.simulation.model_forks import ModelForks
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_run_state import ModelRun
from sheratan.simulation.model_state import ModelSchedule

__all__ = ["ModelScheduledRuns"]


class ModelScheduledRuns(ModelForks):
    """Schedules of both kinds, and what their firings make."""

    def _CreateSchedule(self, pending: Pending, command: CreateSchedule) -> str:  # noqa: N802 - the command's name
        outcome = super()._CreateSchedule(pending, command)
        if outcome != "unchanged":
            self.schedules[command.schedule.name].plan = json.loads(command.definition).get("plan")
        return outcome

    def _made_under(self, key: str) -> str | None:
        made = self.run_keys.get(key)
        return super()._made_under(key) if made is None else made[0]

    def _made_count(self) -> int:
        return len(self.jobs) + len(self.runs)

    def _admit_all(self, known: ModelSchedule, missing: list[int]) -> None:
        if known.plan is None:
            super()._admit_all(known, missing)
            return
        self.check_takes_in()
        if len(self._open_runs) + len(missing) > self.limits.workflow_runs_max:
            raise Refused("limit_reached")
        self.hit("schedule.run_backfilled")

    def _is_previous_open(self, known: ModelSchedule) -> bool:
        if known.last_run is None:
            return super()._is_previous_open(known)
        return self.runs[known.last_run].is_open

    def _has_room(self, known: ModelSchedule, key: str) -> bool:
        if known.plan is None:
            return super()._has_room(known, key)
        if self._is_full:
            self.hit("schedule.run_postponed")
        return not self._is_full

    def _cancel_previous(self, known: ModelSchedule) -> None:
        if known.last_run is None:
            super()._cancel_previous(known)
            return
        run = self.runs[known.last_run]
        if run.state in ("running", "blocked"):
            self.hit("schedule.run_cancelled")
            self._stop_run(run, "cancelled")

    def _submit_firing(self, known: ModelSchedule, key: str, jitter_us: int) -> tuple[int | None, int | None]:
        if known.plan is None:
            return super()._submit_firing(known, key, jitter_us)
        wanted, public_id = known.definition.run, self._firing_ids.get(key)
        if public_id is None or wanted is None:
            raise Refused(f"a run under the key {key}")
        wall_us = round(wanted.workflow.budget.wall_seconds_max * 1_000_000)
        run = self._add_run(
            ModelRun(
                len(self.runs) + 1, public_id, known.plan, wanted.input, self.at_us + wall_us, {}, self.whom,
                name=wanted.workflow.name,
            ),
            wall_us,
        )  # fmt: skip
        self.starters.add(self.whom)
        self.run_keys[key] = (run.id, ("", canonical(wanted.input)))
        self.hit("schedule.run_begun")
        return None, run.number
