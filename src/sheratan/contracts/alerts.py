"""Alerts: what is watched, what is told of it to whom, and what is set for both."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec

from sheratan.contracts.alert_targets import TARGETS_MAX, AlertSeverity, AlertTarget, TargetKind, TargetName
from sheratan.contracts.request import Request

__all__ = [
    "ALERT_MEANINGS",
    "ALERT_REASONS",
    "TEXT_LENGTH_MAX",
    "AlertRecord",
    "AlertRule",
    "AlertRuleName",
    "AlertRuleRecord",
    "AlertRules",
    "AlertSettings",
    "AlertTargetRecord",
    "AlertingRecord",
    "GetAlerting",
    "ListAlerts",
    "Notice",
    "TestAlerts",
    "TestResult",
    "ThresholdRule",
    "runbook_page",
]

AlertRuleName = Literal[
    "commit",
    "integrity",
    "state",
    "queue_age",
    "dead_letters",
    "dead_letter_age",
    "budget",
    "schedule_lag",
    "archive",
    "breaker",
]
"""What is watched. What may keep an engine from writing anything down comes first."""

TEXT_LENGTH_MAX: Final = 300
"""Characters that are kept of what is wrong: a reason is told in a line, not in a page."""

Threshold = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Hold = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3_600)]


class AlertRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How something is watched: whether it is, how bad it is, and how long it has to last before it is told."""

    on: bool = True
    severity: AlertSeverity = "warning"
    hold_seconds: Hold = 0.0


class ThresholdRule(AlertRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same of what is measured; it is wrong from the threshold on."""

    threshold: Threshold = 1


class QueueAgeRule(ThresholdRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of how long the next job of a queue has been ready."""

    threshold: Threshold = 900
    hold_seconds: Hold = 60.0


class DeadLettersRule(ThresholdRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of how many dead letters there are."""

    hold_seconds: Hold = 60.0


class DeadLetterAgeRule(ThresholdRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of how long nobody has dealt with a dead letter."""

    threshold: Threshold = 86_400


class BudgetRule(ThresholdRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of how much of a budget is used."""

    threshold: Threshold = 90


class ScheduleLagRule(ThresholdRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of how long a firing is overdue."""

    threshold: Threshold = 300
    hold_seconds: Hold = 60.0


class CommitRule(ThresholdRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of how long nothing can be committed."""

    threshold: Threshold = 10
    severity: AlertSeverity = "critical"


class BreakerRule(ThresholdRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of for how long calls of a dependency fail."""

    threshold: Threshold = 60


class StateRule(AlertRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a state of the system that is bad; a minor one is a warning whatever is set."""

    severity: AlertSeverity = "critical"
    hold_seconds: Hold = 15.0


class IntegrityRule(AlertRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of an engine that decides nothing any more."""

    severity: AlertSeverity = "critical"


class AlertRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every rule by its name."""

    commit: CommitRule = CommitRule()
    integrity: IntegrityRule = IntegrityRule()
    state: StateRule = StateRule()
    queue_age: QueueAgeRule = QueueAgeRule()
    dead_letters: DeadLettersRule = DeadLettersRule()
    dead_letter_age: DeadLetterAgeRule = DeadLetterAgeRule()
    budget: BudgetRule = BudgetRule()
    schedule_lag: ScheduleLagRule = ScheduleLagRule()
    archive: AlertRule = AlertRule()
    breaker: BreakerRule = BreakerRule()


assert AlertRules.__struct_fields__ == get_args(AlertRuleName)

ALERT_MEANINGS: Final[dict[AlertRuleName, tuple[str, str]]] = {
    "commit": ("seconds", "how long nothing can be committed"),
    "integrity": ("", "the process decides nothing any more: something stored is wrong, or it has a bug"),
    "state": ("", "the system is degraded or halted"),
    "queue_age": ("seconds", "how long the job has been ready that is next in line in a queue"),
    "dead_letters": ("jobs", "how many dead letters there are"),
    "dead_letter_age": ("seconds", "how long ago the first of the dead letters has failed"),
    "budget": ("percent", "how much of a budget is spent and reserved"),
    "schedule_lag": ("seconds", "how long the most overdue firing has been due"),
    "archive": ("", "entries that are due could not be archived"),
    "breaker": ("seconds", "how long a breaker has not been closed, of any worker's guards"),
}
"""What each rule watches, and in what its threshold is; nothing where it has none."""


class AlertSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is watched, and who is told."""

    interval_seconds: Seconds = 5.0
    clear_seconds: Hold = 60.0
    repeat_seconds: Annotated[float, msgspec.Meta(ge=0, le=2_592_000)] = 14_400.0
    notices_per_minute: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 20
    attempts_max: Annotated[int, msgspec.Meta(ge=1, le=100)] = 15
    backoff_seconds_max: Seconds = 600.0
    timeout_seconds: Seconds = 10.0
    rules: AlertRules = AlertRules()
    targets: dict[TargetName, AlertTarget] = {}

    def __post_init__(self) -> None:
        if len(self.targets) > TARGETS_MAX:
            raise ValueError(f"at most {TARGETS_MAX} targets can be declared: each has a queue of its own")


_RULE_REASONS: Final = {
    "on": "whether it is watched: {meaning}",
    "severity": "how urgent it is; a target may want to hear of `critical` ones only",
    "hold_seconds": "how long it has to last before it is told; what passes by itself needs nobody",
    "threshold": "from how many {unit} on",
}

ALERT_REASONS: Final[dict[str, str]] = {
    "interval_seconds": "from one look at what the rules watch to the next",
    "clear_seconds": "how long all has to be well again before that is told, so that an alert does not flap",
    "repeat_seconds": "how often it is told again that an alert is still open; 0: never",
    "notices_per_minute": "what a person can take in; the rest is held back, and told as how many more there are",
    "attempts_max": "how often a target is tried that does not take a notice; with the pauses, some half an hour",
    "backoff_seconds_max": "the longest pause between two of these; it begins at a second, doubles, and is random",
    "timeout_seconds": "how long a target may take to answer",
    **{
        f"rules.{name}.{field.name}": _RULE_REASONS[field.name].format(
            unit=ALERT_MEANINGS[name][0], meaning=ALERT_MEANINGS[name][1]
        )
        for name in get_args(AlertRuleName)
        for field in msgspec.structs.fields(type(getattr(AlertRules(), name)))
    },
    "targets.NAME.url": "where somebody is told: https://… (a webhook), smtp://HOST:PORT or smtps://HOST:PORT (a mail)",
    "targets.NAME.url_env": "the environment variable that has the URL, where it holds a secret; any URL of Apprise's",
    "targets.NAME.secret_env": "the environment variable with the webhook's signing secret (whsec_…) or the password",
    "targets.NAME.least": "`critical`: it hears of nothing that is less urgent",
    "targets.NAME.sender": "from whom a mail is",
    "targets.NAME.recipients": "to whom a mail goes",
    "targets.NAME.user": "the mail server's name for who sends; the sender when empty",
    "targets.NAME.starttls": "whether a smtp:// server has to speak TLS before it hears anything",
}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What is told: once an alert is raised, while it stays open, and when it is cleared.

    `id` is the same whenever the same is told again. `since_us` is when it was found, in microseconds since the epoch.
    `entry` is the journal entry that says so; None where none could be written. `more` is how many notices were held
    back. `runbook` is the page of the documentation that says what to do.
    """

    id: str
    what: Literal["raised", "still_open", "cleared", "held_back", "test"]
    subject: str
    severity: AlertSeverity
    text: str
    since_us: int
    rule: AlertRuleName | None = None
    value: int = 0
    threshold: int = 0
    affected: list[str] = []
    entry: int | None = None
    runbook: str = "docs/how-to/alert.md"
    more: int = 0
    source: str = ""
    """The data directory of the server that tells it."""


def runbook_page(rule: AlertRuleName) -> str:
    """The page that says what an alert of a rule means, and what to do."""
    return f"docs/runbook/{rule.replace('_', '-')}.md"


class ListAlerts(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The alerts that are open, by subject; with `all`, those that were cleared, too."""

    all: bool = False


class GetAlerting(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is watched, and how the targets are doing."""


class TestAlerts(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Send a test notice to every target, or to one; answered with what came of it at each."""

    target: str | None = None


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An alert: whether it is open, how bad it is, what is wrong, and since when.

    `is_told`: whoever is to hear of it has, or was given up on. `entry` is the newest entry about it; None where none
    could be written yet.
    """

    subject: str
    rule: AlertRuleName
    is_open: bool
    severity: AlertSeverity
    value: int
    threshold: int
    text: str
    affected: list[str]
    since_us: int
    is_told: bool
    told_us: int | None
    entry: int | None
    runbook: str


class AlertRuleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is set; `threshold` is None where it has none, `unit` says in what it is."""

    name: AlertRuleName
    on: bool
    severity: AlertSeverity
    threshold: int | None
    unit: str
    hold_seconds: float
    meaning: str
    open: int


class AlertTargetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A target: how many notices it has taken, how many were given up or held back, and how many wait for it.

    `error` is why it did not take the last one that was sent; None when it did.
    """

    name: str
    kind: TargetKind
    least: AlertSeverity
    taken: int
    given_up: int
    held_back: int
    failed: int
    """How often a try has failed."""
    waiting: int
    error: str | None


class AlertingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and who is told, since the process has started."""

    rules: list[AlertRuleRecord]
    targets: list[AlertTargetRecord]


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a test notice at a target; `error` is why it did not take it."""

    target: str
    taken: bool
    error: str | None
