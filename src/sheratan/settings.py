"""Settings: typed, from flags, environment, files and defaults, each with its origin. Read by wiring and cli only."""

from __future__ import annotations

import copy
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from sheratan.contracts.alerts import ALERT_REASONS, AlertSettings
from sheratan.contracts.errors import InvalidInput, UnknownSetting
from sheratan.contracts.guards import GUARD_REASONS
from sheratan.contracts.health import PROBE_REASONS, Dependency, DependencyName, ProbeSettings, check_names
from sheratan.contracts.limits import LIMIT_REASONS, Limits
from sheratan.contracts.pressure import PRESSURE_REASONS, PressureSettings
from sheratan.contracts.telemetry import TRACE_REASONS, Level, TraceSettings
from sheratan.contracts.values import misfit

__all__ = [
    "SETTING_REASONS",
    "LogSettings",
    "MetricsSettings",
    "Origin",
    "Settings",
    "WorkerSettings",
    "general_name",
    "load_settings",
    "setting_names",
]

ENVIRONMENT_PREFIX = "SHERATAN_"
FILE_NAME = "sheratan.toml"


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The worker that runs inside the server."""

    name: str = "local"
    slots: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 256
    threads: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 32
    processes: Annotated[int, msgspec.Meta(ge=1, le=256)] = 2


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the server logs, and where."""

    level: Level = "warning"
    format: Literal["text", "json"] = "text"
    file: str = ""


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the server can be asked how it is."""

    listen: str = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set."""

    data: str
    archive: str = ""
    kinds: tuple[str, ...] = ()
    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 25.0
    worker: WorkerSettings = WorkerSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    traces: TraceSettings = TraceSettings()
    limits: Limits = Limits()
    probes: ProbeSettings = ProbeSettings()
    pressure: PressureSettings = PressureSettings()
    dependencies: dict[DependencyName, Dependency] = {}
    alerts: AlertSettings = AlertSettings()

    def __post_init__(self) -> None:
        wrong = check_names(self.dependencies)
        if wrong is not None:
            raise ValueError(wrong)


SETTING_REASONS: dict[str, str] = {
    "data": "the data directory; it holds the database, the owner's lock and the socket",
    "archive": "the folder for archived segments of the journal; the folder `archive` in the data directory when empty",
    "kinds": "modules whose kinds the server's own worker runs",
    "drain_seconds": "how long running jobs may take to end after SIGTERM; supervisors kill after 30",
    "worker.name": "how the server's own worker is named in the journal",
    "worker.slots": "attempts that it runs at once",
    "worker.threads": "plain functions that it runs at once, each in a thread",
    "worker.processes": "CPU-bound functions that it runs at once, each in a process",
    "log.level": "how urgent an event must be to be logged; `debug` tells of all that jobs do",
    "log.format": "`json` makes every line on stderr one; `text` is for eyes, and scripts wait for the line `ready`",
    "log.file": "the file that log lines are added to; stderr when empty",
    "metrics.listen": "where HTTP serves metrics and health, as 127.0.0.1:9464; nowhere when empty: no port unasked",
    **{f"traces.{name}": reason for name, reason in TRACE_REASONS.items()},
    **{f"limits.{name}": reason for name, reason in LIMIT_REASONS.items()},
    **{f"probes.{name}": reason for name, reason in PROBE_REASONS.items()},
    **{f"pressure.{name}": reason for name, reason in PRESSURE_REASONS.items()},
    "dependencies.NAME.url": "where it is reached: tcp://HOST:PORT, http://… or https://…; not looked at when empty",
    "dependencies.NAME.critical": "whether nothing may start while it does not answer",
    "dependencies.NAME.affects": "the services that do not work without it; itself when none is named",
    **{f"dependencies.NAME.guard.{name}": reason for name, reason in GUARD_REASONS.items()},
    **{f"alerts.{name}": reason for name, reason in ALERT_REASONS.items()},
}
"""By name; NAME stands for any name."""


class Origin(NamedTuple):
    """A setting's value and where it comes from."""

    name: str
    value: Any
    origin: str


def load_settings(
    flags: Mapping[str, Any], environment: Mapping[str, str], folder: Path
) -> tuple[Settings, list[Origin]]:
    """The settings, and the origin of each: flag, environment, project file, user file or default.

    An unknown name is refused with UnknownSetting and a value of the wrong type with InvalidInput; both say where
    it stands.
    """
    layers = [
        ("flag", {name: value for name, value in flags.items() if value is not None}),
        *(("environment " + name, {key: value}) for name, key, value in _environment(environment)),
        (f"file {folder / FILE_NAME}", _file(folder / FILE_NAME)),
        *((f"file {path}", _file(path)) for path in _user_files(environment)),
    ]
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    known = set(setting_names())
    for origin, values in layers:
        for name, value in values.items():
            if general_name(name) not in known:
                raise UnknownSetting(f"{origin} sets it, but there is no such setting", field=name)
            if name not in merged:
                merged[name], origins[name] = value, origin
    merged.setdefault("data", str(_default_data(environment)))
    settings = _build(merged, origins)
    return settings, [
        Origin(name, _value(settings, name), origins.get(name, "default")) for name in _names_in(settings)
    ]


def setting_names() -> list[str]:
    """Every setting by its dotted name, with NAME for what can have any name."""
    return [name for name, _ in _FIELDS]


def general_name(name: str) -> str:
    """A setting's name as it stands in SETTING_REASONS."""
    for table in _NAMED_TABLES:
        if name.startswith(f"{table}."):
            return f"{table}.NAME.{name.removeprefix(f'{table}.').partition('.')[2]}"
    return name


def _fields(struct: type[msgspec.Struct], prefix: str) -> Iterator[tuple[str, Any]]:
    """Every setting with its type."""
    for field in msgspec.structs.fields(struct):
        name = prefix + field.name
        inner = get_args(field.type)[1] if get_origin(field.type) is dict else field.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from _fields(inner, f"{name}." if inner is field.type else f"{name}.NAME.")
        else:
            yield name, inner


def _bare(wanted: Any) -> Any:
    """A type without what is annotated to it."""
    return get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted


_FIELDS = tuple(_fields(Settings, ""))
_NAMED_TABLES = frozenset(name.partition(".NAME.")[0] for name, _ in _FIELDS if ".NAME." in name)
_LISTS = frozenset(name for name, wanted in _FIELDS if get_origin(_bare(wanted)) is tuple)


def _names_in(settings: Settings) -> Iterator[str]:
    """Every setting, those of what has a name once for each."""
    for name in setting_names():
        table, named, rest = name.partition(".NAME.")
        if named:
            yield from (f"{table}.{one}.{rest}" for one in _value(settings, table))
        else:
            yield name


def _environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, value in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            yield name, name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", "."), value


def _file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from error
    try:
        return dict(_flatten(tomllib.loads(text), ""))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"is not TOML: {error}", field=str(path)) from error


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _user_files(environment: Mapping[str, str]) -> list[Path]:
    home = environment.get("XDG_CONFIG_HOME") or (
        str(Path(environment["HOME"]) / ".config") if "HOME" in environment else ""
    )
    return [Path(home) / "sheratan" / FILE_NAME] if home else []


def _default_data(environment: Mapping[str, str]) -> Path:
    share = environment.get("XDG_DATA_HOME")
    return (
        Path(share) if share else Path(environment.get("HOME", os.curdir)) / ".local" / "share"
    ) / "sheratan"


def _build(merged: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    nested: dict[str, Any] = {}
    for name, value in merged.items():
        if general_name(name) in _LISTS and isinstance(value, str):
            value = [part for part in value.split(",") if part]
        table = nested
        *folders, last = name.split(".")
        for part in folders:
            table = table.setdefault(part, {})
        table[last] = value
    try:
        return msgspec.convert(nested, Settings, strict=False)
    except msgspec.ValidationError as error:
        refusal = misfit(error, Settings)
        field = _named(refusal.field or "", nested)
        raise InvalidInput(f"{refusal.detail} (set by {_origin(field, origins)})", field=field) from error


def _origin(field: str, origins: Mapping[str, str]) -> str:
    """Who has set a field, or the first thing in it."""
    return next((origins[name] for name in origins if f"{name}.".startswith(f"{field}.")), "default")


def _named(field: str, nested: Mapping[str, Any]) -> str:
    """A field with the name in the place of `[...]`: which one it is of all that are named."""
    table, is_of_named, rest = field.partition("[...]")
    if not is_of_named or table not in _NAMED_TABLES:
        return field
    for name in _table(nested, table):
        alone = copy.deepcopy(dict(nested))
        found = _table(alone, table)
        for other in found.keys() - {name}:
            del found[other]
        try:
            msgspec.convert(alone, Settings, strict=False)
        except msgspec.ValidationError:
            return f"{table}.{name}{rest}"
    return field


def _table(nested: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: Any = nested
    for part in name.split("."):
        found = found[part]
    table: dict[str, Any] = found
    return table


def _value(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value
