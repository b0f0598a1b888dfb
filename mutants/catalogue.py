"""All planted bugs, in the order of the published table."""

from __future__ import annotations

from mutants import (
    bugs_ageing,
    bugs_alerts,
    bugs_approvals,
    bugs_archive,
    bugs_billing,
    bugs_budgets,
    bugs_children,
    bugs_code,
    bugs_dead,
    bugs_dispatch,
    bugs_driver,
    bugs_flow,
    bugs_forks,
    bugs_gates,
    bugs_groups,
    bugs_health,
    bugs_intake,
    bugs_kernel,
    bugs_ledger,
    bugs_partitions,
    bugs_pressure,
    bugs_proposals,
    bugs_retention,
    bugs_run_retention,
    bugs_runs,
    bugs_schedules,
    bugs_settle,
    bugs_steps,
    bugs_store,
    bugs_sub_runs,
    bugs_system,
    bugs_telemetry,
    bugs_time,
    bugs_waits,
)
from mutants.bug import Bug

__all__ = ["BUGS"]

BUGS: dict[str, Bug] = {
    bug.name: bug
    for module in (
        bugs_store,
        bugs_kernel,
        bugs_intake,
        bugs_gates,
        bugs_dispatch,
        bugs_groups,
        bugs_flow,
        bugs_partitions,
        bugs_ageing,
        bugs_schedules,
        bugs_settle,
        bugs_steps,
        bugs_waits,
        bugs_children,
        bugs_proposals,
        bugs_approvals,
        bugs_code,
        bugs_dead,
        bugs_retention,
        bugs_run_retention,
        bugs_archive,
        bugs_ledger,
        bugs_billing,
        bugs_budgets,
        bugs_runs,
        bugs_forks,
        bugs_sub_runs,
        bugs_system,
        bugs_health,
        bugs_pressure,
        bugs_alerts,
        bugs_telemetry,
        bugs_time,
        bugs_driver,
    )
    for bug in module.BUGS
}
