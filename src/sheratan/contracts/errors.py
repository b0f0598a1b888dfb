"""The error tree. Each class has a stable code, an HTTP status, a CLI exit code and named fields.

SheratanError
├── InvalidInput            the caller sent something wrong; `field` says where
│   ├── UnknownKind         no loaded kind has that name
│   ├── UnknownSetting      a setting nobody reads
│   └── TooLarge            a payload, result, name or batch above its limit
├── NotFound                nothing with that id or name exists here
│   ├── Pruned              it has existed, and was kept no longer
│   └── Archived            it is in a file outside the data directory's journal
├── Conflict                the request contradicts what is recorded
│   ├── IdempotencyConflict same key, different request
│   ├── AlreadyEnded        the job has ended; a terminal state never changes
│   ├── LostLease           the fence is stale; the attempt belongs to somebody else
│   ├── TransferRefused     a transfer was not applied; `result` says why
│   │   └── InsufficientFunds  the account to debit has not enough to give
│   ├── DataDirectoryInUse  another process owns the data directory
│   └── AddressInUse        another program listens on the address
├── NotAllowed              the caller is known, and may not do this
├── LimitReached            a bounded thing is full; try again later
├── Unavailable             the engine is starting, draining or gone
│   ├── Disconnected        the connection to the server has ended
│   ├── StateRefuses        the system's state does not let it happen
│   ├── DependencyUnavailable  a guard does not let a call of a dependency begin
│   └── Overloaded          the engine takes no more work in until it is under less pressure
├── TimedOut                the answer did not come in the time given
│   └── DeadlineExceeded    the time was over before it was begun
├── JobFailed               the job that was waited for did not succeed
├── UnsafeLibrary           a library below the version that keeps data safe
├── CorruptData             stored bytes do not say what they must say
│   └── DiskFailed          a read, write or sync failed
└── InternalError           a bug of ours: please report it
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AddressInUse",
    "AlreadyEnded",
    "Archived",
    "Conflict",
    "CorruptData",
    "DataDirectoryInUse",
    "DeadlineExceeded",
    "DependencyUnavailable",
    "Disconnected",
    "DiskFailed",
    "IdempotencyConflict",
    "InsufficientFunds",
    "InternalError",
    "InvalidInput",
    "JobFailed",
    "LimitReached",
    "LostLease",
    "NotAllowed",
    "NotFound",
    "Overloaded",
    "Pruned",
    "SheratanError",
    "StateRefuses",
    "TimedOut",
    "TooLarge",
    "TransferRefused",
    "Unavailable",
    "UnknownKind",
    "UnknownSetting",
    "UnsafeLibrary",
    "error_classes",
    "error_from_wire",
]


class SheratanError(Exception):
    """Something Sheratan refused or could not do."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, field: str | None = None, **extra: str | int | None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail

    def to_wire(self) -> dict[str, Any]:
        """The error as it crosses the socket: code, detail, field and extra fields."""
        return {"code": self.code, "detail": self.detail, "field": self.field, "extra": self.extra}


class InvalidInput(SheratanError):
    """The request is not valid; the field named is the one to correct."""

    code = "invalid_input"
    status = 422
    exit_code = 2


class UnknownKind(InvalidInput):
    """No loaded kind has that name; start the server with the module that defines it (--kinds)."""

    code = "unknown_kind"


class UnknownSetting(InvalidInput):
    """No setting has that name; `sheratan config show` lists all of them."""

    code = "unknown_setting"


class TooLarge(InvalidInput):
    """The value is above a documented limit; make it smaller or raise the limit."""

    code = "too_large"
    status = 413


class NotFound(SheratanError):
    """Nothing with that id or name exists in this data directory."""

    code = "not_found"
    status = 404
    exit_code = 3


class Pruned(NotFound):
    """The job or run has ended and was kept no longer, as somebody had set; `sheratan why` still tells its story."""

    code = "pruned"
    status = 410


class Archived(NotFound):
    """The entry was moved into a file of the archive, which the message names."""

    code = "archived"
    status = 410


class Conflict(SheratanError):
    """The request contradicts what is already recorded."""

    code = "conflict"
    status = 409
    exit_code = 5


class IdempotencyConflict(Conflict):
    """The idempotency key was used before with a different request; use a new key or the same request."""

    code = "idempotency_conflict"


class AlreadyEnded(Conflict):
    """The job has ended and a terminal state never changes; `job retry` makes a new job from it."""

    code = "already_ended"


class LostLease(Conflict):
    """The fence is stale: this attempt was given up and its result changes nothing."""

    code = "lost_lease"


class TransferRefused(Conflict):
    """The transfer was not applied; `result` says why, `field` what is wrong, and `entry` is the refusal's."""

    code = "transfer_refused"


class InsufficientFunds(TransferRefused):
    """The account to debit has not enough to give; grant it more, or ask for less."""

    code = "insufficient_funds"
    status = 402


class DataDirectoryInUse(Conflict):
    """Another process owns the data directory; talk to it over its socket or stop it first."""

    code = "data_directory_in_use"


class NotAllowed(SheratanError):
    """The caller is known and may not do this; somebody else may."""

    code = "not_allowed"
    status = 403
    exit_code = 4


class AddressInUse(Conflict):
    """Another program listens on the address; choose another one in the setting that the message names."""

    code = "address_in_use"


class LimitReached(SheratanError):
    """A bounded thing is full; try again later or raise the limit."""

    code = "limit_reached"
    status = 429
    retryable = True


class Unavailable(SheratanError):
    """The engine is starting, draining, halted or gone; try again later."""

    code = "unavailable"
    status = 503
    retryable = True


class Disconnected(Unavailable):
    """The connection to the server has ended; connect again."""

    code = "disconnected"


class StateRefuses(Unavailable):
    """The system's state does not let it happen; `sheratan state show` says since when, why and how that ends."""

    code = "state_refuses"


class DependencyUnavailable(Unavailable):
    """A guard has not let a call begin: the dependency fails, or has enough to do; try again when it says so.

    `dependency` names it, and `reason` is `breaker`, `full` or `retries`.
    """

    code = "dependency_unavailable"

    @property
    def retry_after_seconds(self) -> float:
        """How long to wait before the next try; drawn, so that not all who were refused come back at once."""
        return int(self.extra.get("retry_after_us") or 0) / 1_000_000


class Overloaded(Unavailable):
    """The engine is short of memory or of time and takes no new work in; `retry_after_seconds` says when to ask again.

    Nothing was done.
    """

    code = "overloaded"


class TimedOut(SheratanError):
    """The answer did not come in the time given; the work itself may still go on."""

    code = "timed_out"
    status = 504
    exit_code = 124
    retryable = True


class DeadlineExceeded(TimedOut):
    """The caller's time was over before its request was begun; nothing was done."""

    code = "deadline_exceeded"


class JobFailed(SheratanError):
    """The job that was waited for ended without success; `sheratan why` tells the story."""

    code = "job_failed"
    status = 502


class UnsafeLibrary(SheratanError):
    """A library is older than the version that keeps the data safe; upgrade it."""

    code = "unsafe_library"


class CorruptData(SheratanError):
    """Stored bytes do not say what they must say; `sheratan journal verify` locates the damage."""

    code = "corrupt_data"


class DiskFailed(CorruptData):
    """The disk failed to read, write or sync; start the server again once the disk is sound."""

    code = "disk_failed"


class InternalError(SheratanError):
    """A bug in Sheratan, not in your request; please report it with this text."""

    code = "internal_error"


def error_classes() -> dict[str, type[SheratanError]]:
    """Every error class by its code."""
    found: dict[str, type[SheratanError]] = {}
    waiting: list[type[SheratanError]] = [SheratanError]
    while waiting:
        current = waiting.pop()
        found[current.code] = current
        waiting.extend(current.__subclasses__())
    return dict(sorted(found.items()))


def error_from_wire(wire: dict[str, Any]) -> SheratanError:
    """The error that `to_wire` described; an unknown code becomes an InternalError."""
    cls = error_classes().get(str(wire.get("code")), InternalError)
    return cls(str(wire.get("detail", "")), field=wire.get("field"), **(wire.get("extra") or {}))
