"""Submissions at the edge: every value is checked and every default filled in before the decider sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from sheratan.contracts.code import versioned
from sheratan.contracts.errors import InvalidInput, SheratanError, TooLarge, UnknownKind
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.jobs import NO_OPTIONS, JobError, KindDescription, Name, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.schedules import KEY_PREFIX
from sheratan.contracts.values import check_json, convert, misfit
from sheratan.contracts.worker import PATCH_PREFIX, SPAWN_PREFIX, Report, StepReport, Wait
from sheratan.engine.commands import Ending, NewJob, NewStep
from sheratan.kernel.canonical import canonical, digest

__all__ = [
    "Kind",
    "KindRegistry",
    "check_key",
    "duration",
    "fill_in",
    "prepare",
    "prepare_input",
    "prepare_job",
    "prepare_reports",
    "prepare_signal",
    "prepare_steps",
]

Check = Callable[[bytes], None]
"""Raises InvalidInput when a kind does not accept an input: the JSON that its handler would be given."""

_US = 1_000_000


class Kind:
    """A kind as a worker on duty offers it. `check` is None for a worker in another process."""

    def __init__(self, description: KindDescription, check: Check | None) -> None:
        self.description = description
        self.check = check
        self.plain: NewJob | None = None
        """A job with no options, made once: most jobs have none."""


class KindRegistry:
    """The kinds that the engine accepts, each with how many workers offer it."""

    def __init__(self, is_on_duty: Callable[[str], bool] = lambda offered_as: True) -> None:
        self.problems: list[str] = []
        self._versions: dict[str, dict[int, Kind]] = {}
        self._is_on_duty = is_on_duty

    def declare(self, description: KindDescription, check: Check | None) -> None:
        """A worker offers a kind. The newest description holds, unless an older one can check inputs and it cannot."""
        versions = self._versions.setdefault(description.name, {})
        known = versions.get(description.version)
        if known is None or check is not None or known.check is None:
            versions[description.version] = Kind(description, check)

    def all(self) -> list[KindDescription]:
        """Every version of every kind, in order."""
        found = [kind.description for versions in self._versions.values() for kind in versions.values()]
        return sorted(found, key=lambda one: (one.name, one.version))

    def find(self, name: str, version: int | None = None) -> Kind:
        """A version of a kind, or UnknownKind; without a number the newest on duty or, if none is, the newest known."""
        versions = self._versions.get(name)
        if versions is None:
            known = ", ".join(sorted(self._versions)) or "none"
            raise UnknownKind(f"no kind {name!r} is loaded; loaded: {known}", field="kind")
        if version is None:
            if len(versions) == 1:
                return next(iter(versions.values()))
            offered = [number for number in versions if self._is_on_duty(versioned(name, number))]
            return versions[max(offered or versions)]
        if version not in versions:
            known = ", ".join(map(str, sorted(versions)))
            raise UnknownKind(
                f"no version {version} of kind {name!r} is loaded; loaded: {known}", field="version"
            )
        return versions[version]


def prepare(jobs: Sequence[Submission], kinds: KindRegistry, limits: Limits) -> tuple[NewJob, ...]:
    """Checked jobs with every default filled in; a refusal names the job's position and the field."""
    if not jobs:
        raise InvalidInput("at least one job is needed", field="jobs")
    if len(jobs) > limits.batch_jobs_max:
        raise TooLarge(
            f"{len(jobs)} jobs in one call; at most {limits.batch_jobs_max} (limits.batch_jobs_max)",
            field="jobs",
        )
    prepared: list[NewJob] = []
    keys: set[str] = set()
    for position, submission in enumerate(jobs):
        try:
            prepared.append(prepare_job(submission, kinds, limits))
            _check_unique(submission.options.key, keys)
        except SheratanError as error:
            if len(jobs) > 1:
                error.field = f"jobs/{position}/{error.field or ''}"
            raise
    return tuple(prepared)


def prepare_job(submission: Submission, kinds: KindRegistry, limits: Limits) -> NewJob:
    """A checked job with every default filled in; a refusal names the field."""
    kind = kinds.find(submission.kind, submission.options.version)
    data = prepare_input(kind, submission.input, limits)
    if submission.options is NO_OPTIONS:
        if kind.plain is None:
            kind.plain = fill_in(kind.description, NO_OPTIONS, limits)
        filled = kind.plain
    else:
        filled = fill_in(kind.description, _checked(submission.options), limits)
    return msgspec.structs.replace(filled, input=data, digest=digest(data))


def prepare_input(kind: Kind, value: Any, limits: Limits) -> bytes:
    """An input as canonical JSON, within its limit and as its kind's schema asks."""
    data = canonical(value, field="input")
    if len(data) > limits.payload_bytes_max:
        raise TooLarge(
            f"{len(data)} bytes of canonical JSON; at most {limits.payload_bytes_max} (limits.payload_bytes_max)",
            field="input",
        )
    if kind.check is not None:
        kind.check(data)
    return data


def _checked(options: Options) -> Options:
    """Options as their types say; those made within this process were never converted, and so never checked."""
    try:
        return convert(msgspec.to_builtins(options), Options)
    except TypeError as error:
        raise InvalidInput(str(error), field="options") from error


def fill_in(default: KindDescription, options: Options, limits: Limits) -> NewJob:
    """A job without its input: what the options leave open comes from the kind."""
    attempts_max = _pick(options.attempts_max, default.attempts_max)
    if attempts_max > limits.attempts_max:
        raise TooLarge(
            f"{attempts_max} attempts; at most {limits.attempts_max} (limits.attempts_max)",
            field="attempts_max",
        )
    return NewJob(
        kind=default.name,
        queue=options.queue or default.queue,
        priority=_pick(options.priority, default.priority),
        delay_us=duration(
            options.delay_seconds, limits.delay_seconds_max, "delay_seconds", "delay_seconds_max"
        ),
        key=check_key(options.key, limits),
        digest="",
        input=b"",
        attempts_max=attempts_max,
        backoff_base_us=_backoff(options.backoff_base_seconds, default.backoff_base_seconds, limits, "base"),
        backoff_cap_us=_backoff(options.backoff_max_seconds, default.backoff_max_seconds, limits, "max"),
        run_timeout_us=_run_timeout(options, default, limits),
        queue_timeout_us=_at_most(options, default, limits, "queue_timeout_seconds"),
        deadline_after_us=_at_most(options, default, limits, "deadline_seconds"),
        after=_after(options.after, limits),
        after_failure=options.after_failure,
        tags=_tags(options.tags, limits) if options.tags else (),
        cost=options.cost,
        partition=options.partition,
        budget=tuple(sorted(options.budget.items())) if options.budget else (),
        criticality=options.criticality or default.criticality,
        version=default.version,
        is_version_asked=options.version is not None,
        traceparent=options.traceparent,
    )


def _pick(wanted: int | None, default: int) -> int:
    return default if wanted is None else wanted


def duration(seconds: float, most: int, field: str, limit: str) -> int:
    """Seconds as microseconds; InvalidInput or TooLarge for what is none or above its limit."""
    if seconds != seconds or seconds in (float("inf"), float("-inf")):
        raise InvalidInput("not a finite number of seconds", field=field)
    if seconds > most:
        raise TooLarge(f"{seconds:g} seconds; at most {most} (limits.{limit})", field=field)
    return round(seconds * _US)


def _backoff(wanted: float | None, default: float, limits: Limits, which: str) -> int:
    seconds = default if wanted is None else wanted
    return duration(seconds, limits.delay_seconds_max, f"backoff_{which}_seconds", "delay_seconds_max")


def _run_timeout(options: Options, default: KindDescription, limits: Limits) -> int:
    seconds = options.run_timeout_seconds or default.run_timeout_seconds
    return max(
        1,
        duration(seconds, limits.run_timeout_seconds_max, "run_timeout_seconds", "run_timeout_seconds_max"),
    )


def _at_most(options: Options, default: KindDescription, limits: Limits, field: str) -> int:
    seconds = getattr(options, field) or getattr(default, field)
    if seconds is None:
        return 0
    return max(1, duration(seconds, limits.delay_seconds_max, field, "delay_seconds_max"))


def _after(after: tuple[str, ...], limits: Limits, field: str = "after") -> tuple[str, ...]:
    if not after:
        return after
    if len(after) > limits.after_jobs_max:
        raise TooLarge(
            f"{len(after)} jobs; at most {limits.after_jobs_max} (limits.after_jobs_max)", field=field
        )
    if len(set(after)) != len(after):
        raise InvalidInput("a job is named twice", field=field)
    for text in after:
        try:
            parse_job_id(text)
        except InvalidInput as error:
            error.field = field
            raise
    return after


def _tags(tags: tuple[str, ...], limits: Limits) -> tuple[str, ...]:
    """Tags in order, each once."""
    found = tuple(sorted(set(tags)))
    if len(found) > limits.tags_max:
        raise TooLarge(f"{len(found)} tags; at most {limits.tags_max} (limits.tags_max)", field="tags")
    return found


def check_key(key: str | None, limits: Limits) -> str | None:
    """An idempotency key that a caller may use; TooLarge or InvalidInput for any other."""
    if key is None:
        return None
    if len(key) > limits.key_length_max:
        raise TooLarge(
            f"{len(key)} characters; at most {limits.key_length_max} (limits.key_length_max)", field="key"
        )
    if key.startswith(KEY_PREFIX):
        raise InvalidInput(
            f"keys that begin with {KEY_PREFIX} are those of schedules; begin it with something else",
            field="key",
        )
    return key


def _check_unique(key: str | None, keys: set[str]) -> None:
    if key is None:
        return
    if key in keys:
        raise InvalidInput(f"key {key!r} stands for two jobs of this call", field="key")
    keys.add(key)


def prepare_reports(reports: Sequence[Report], limits: Limits) -> tuple[Ending, ...]:
    """Checked reports. An output that is no JSON value or too large fails its attempt, and says so."""
    return tuple(_prepare_report(report, limits) for report in reports)


def _prepare_report(report: Report, limits: Limits) -> Ending:
    number, fence = report.number, report.fence
    if report.outcome == "waiting":
        _check_waits(report.waits, limits)
    if report.outcome == "code_changed" and report.difference is None:
        text = "an attempt whose code has changed says where; give what, step and recorded"
        raise InvalidInput(text, field="difference")
    if report.outcome != "succeeded":
        error = _shorten(_writable(report.error), limits) if report.error else None
        return Ending(
            number=number,
            fence=fence,
            outcome=report.outcome,
            error=error,
            waits=report.waits,
            difference=report.difference,
            charge=report.charge,
        )
    try:
        output = canonical(report.output, field="output")
        if len(output) > limits.result_bytes_max:
            most = f"at most {limits.result_bytes_max} (limits.result_bytes_max)"
            raise TooLarge(f"{len(output)} bytes of canonical JSON; {most}", field="output")
    except InvalidInput as refusal:
        error = JobError(error_class="bug", type=type(refusal).__name__, message=str(refusal))
        return Ending(number=number, fence=fence, outcome="failed", error=error, charge=report.charge)
    return Ending(number=number, fence=fence, outcome="succeeded", output=output, charge=report.charge)


def _check_waits(waits: tuple[Wait, ...], limits: Limits) -> None:
    if not waits:
        raise InvalidInput("an attempt that waits names what it waits for", field="waits")
    if len({(wait.name, wait.occurrence) for wait in waits}) < len(waits):
        raise InvalidInput("two waits have the same name and occurrence", field="waits")
    for wait in waits:
        if wait.what == "sleep" and wait.until_us is None and wait.seconds is None:
            raise InvalidInput(
                f"{wait.name} is a sleep without an end; give until_us or seconds", field="waits"
            )
        if wait.what == "jobs":
            if not wait.jobs:
                raise InvalidInput(f"{wait.name} waits for jobs and names none", field="waits")
            _after(wait.jobs, limits, field="waits")


def prepare_signal(value: Any, limits: Limits) -> bytes:
    """The value of a signal as canonical JSON; one that is too large is refused."""
    data = canonical(value, field="value")
    if len(data) > limits.result_bytes_max:
        most = f"at most {limits.result_bytes_max} (limits.result_bytes_max)"
        raise TooLarge(f"{len(data)} bytes of JSON; {most}", field="value")
    return data


def prepare_steps(reports: Sequence[StepReport], limits: Limits) -> tuple[NewStep, ...]:
    """Checked steps; an output that is no JSON value or too large is refused, and names its step."""
    return tuple(_prepare_step(report, limits) for report in reports)


def _check_text(output: bytes) -> None:
    try:
        check_json(msgspec.json.decode(output), "output")
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"this is not JSON: {error}", field="output") from error


def _check_name(report: StepReport) -> None:
    """Names with a colon are the engine's own; a worker says of jobs that it could not spawn that this has failed.

    And it says which way a patched handler goes.
    """
    if report.error is not None and report.name.startswith(SPAWN_PREFIX):
        return
    name = report.name
    if report.error is None and bytes(report.output) in (b"true", b"false"):
        name = name.removeprefix(PATCH_PREFIX)
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as invalid:
        raise misfit(invalid, Name) from invalid


def _prepare_step(report: StepReport, limits: Limits) -> NewStep:
    output, error = b"null", report.error
    _check_name(report)
    if error is not None:
        error = _shorten(_writable(error), limits)
    else:
        # Kept as it came: what its handler got was made of these very bytes, and so is what later attempts get.
        output = bytes(report.output)
        _check_text(output)
        if len(output) > limits.result_bytes_max:
            most = f"at most {limits.result_bytes_max} (limits.result_bytes_max)"
            raise TooLarge(f"step {report.name} gave {len(output)} bytes of JSON; {most}", field="output")
    return NewStep(
        number=report.number,
        fence=report.fence,
        step=report.step,
        name=report.name,
        occurrence=report.occurrence,
        output=output,
        error=error,
        took_us=report.took_us,
    )


def _writable(error: JobError) -> JobError:
    """An error's text quotes what it was about, such as a file name that is no valid text; it is kept, escaped."""
    texts = {"type": error.type, "message": error.message, "traceback": error.traceback}
    if all(map(str.isascii, texts.values())):
        return error
    escaped = {name: text.encode("utf-8", "backslashreplace").decode() for name, text in texts.items()}
    return msgspec.structs.replace(error, **escaped)


def _shorten(error: JobError, limits: Limits) -> JobError:
    most = limits.error_bytes_max
    message, trace = error.message.encode(), error.traceback.encode()
    if len(message) + len(trace) <= most:
        return error
    # The start of a message and the end of a traceback say the most.
    message = message[: most // 2]
    trace = trace[-(most - len(message)) :]
    return msgspec.structs.replace(
        error, message=message.decode(errors="ignore"), traceback=trace.decode(errors="ignore")
    )
