"""Limits and settings: each has a reason, an origin and a type; what nobody reads is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sheratan.contracts.errors import InvalidInput, UnknownSetting
from sheratan.contracts.guards import GuardSettings
from sheratan.contracts.health import Address, Dependency, address_of
from sheratan.contracts.limits import LIMIT_REASONS, Limits
from sheratan.settings import SETTING_REASONS, Origin, Settings, load_settings, setting_names

LIMITS = [field.name for field in msgspec.structs.fields(Limits)]


def load(
    folder: Path, flags: dict[str, Any] | None = None, environment: dict[str, str] | None = None
) -> tuple[Settings, dict[str, Origin]]:
    settings, origins = load_settings(
        flags or {}, {"HOME": str(folder / "home")} | (environment or {}), folder
    )
    return settings, {origin.name: origin for origin in origins}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


# ---------------------------------------------------------------------------------------------------------------------


def test_every_limit_says_why_it_has_its_number() -> None:
    assert set(LIMIT_REASONS) == set(LIMITS)
    assert all(LIMIT_REASONS.values())


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True, (1 << 53) + 1])
def test_a_limit_is_a_positive_integer(name: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({name: value}, Limits)


def test_an_unknown_limit_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="jobs_of_all_time"):
        msgspec.convert({"jobs_of_all_time": 1}, Limits)


def test_every_setting_says_what_it_is_for() -> None:
    assert set(SETTING_REASONS) == set(setting_names())


# ---------------------------------------------------------------------------------------------------------------------


def test_without_anything_set_the_defaults_hold_and_say_so(tmp_path: Path) -> None:
    settings, origins = load(tmp_path)
    assert settings.data == str(tmp_path / "home" / ".local" / "share" / "sheratan")
    assert {origin.origin for origin in origins.values()} == {"default"}
    assert list(origins) == [name for name in setting_names() if ".NAME." not in name]


def test_a_flag_goes_before_the_environment_before_the_files(tmp_path: Path) -> None:
    project, user = tmp_path / "sheratan.toml", tmp_path / "home" / ".config" / "sheratan" / "sheratan.toml"
    name = "worker.slots"
    write(user, "[worker]\nslots = 1\n")
    assert load(tmp_path)[1][name] == (name, 1, f"file {user}")
    write(project, "[worker]\nslots = 2\n")
    assert load(tmp_path)[1][name] == (name, 2, f"file {project}")
    environment = {"SHERATAN_WORKER__SLOTS": "3"}
    assert load(tmp_path, environment=environment)[1][name] == (
        name,
        3,
        "environment SHERATAN_WORKER__SLOTS",
    )
    assert load(tmp_path, {name: 4}, environment)[1][name] == (name, 4, "flag")
    assert load(tmp_path, {name: None}, environment)[0].worker.slots == 3


def test_settings_of_one_group_may_come_from_different_places(tmp_path: Path) -> None:
    write(tmp_path / "sheratan.toml", "[limits]\nbatch_jobs_max = 5\n")
    settings, _ = load(tmp_path, environment={"SHERATAN_LIMITS__KEY_LENGTH_MAX": "6"})
    assert (settings.limits.batch_jobs_max, settings.limits.key_length_max) == (5, 6)


def test_kinds_are_a_list_in_a_file_and_separated_by_commas_in_the_environment(tmp_path: Path) -> None:
    assert load(tmp_path, environment={"SHERATAN_KINDS": "a,b"})[0].kinds == ("a", "b")
    write(tmp_path / "sheratan.toml", 'kinds = ["c", "d"]\n')
    assert load(tmp_path)[0].kinds == ("c", "d")


@pytest.mark.parametrize("name", ["SHERATAN_LIMIT", "SHERATAN_WORKER__SLOT", "SHERATAN_", "SHERATAN_WORKER"])
def test_an_unknown_name_in_the_environment_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownSetting, match=f"environment {name} "):
        load(tmp_path, environment={name: "1"})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("slots = 1\n", "slots"),
        ("[worker]\nslot = 1\n", "worker.slot"),
        ("[worker.deep]\nslots = 1\n", "worker.deep.slots"),
        ("limits = 3\n", "limits"),
    ],
)
def test_an_unknown_name_in_a_file_is_refused_by_name_and_file(tmp_path: Path, text: str, name: str) -> None:
    write(tmp_path / "sheratan.toml", text)
    with pytest.raises(UnknownSetting) as refused:
        load(tmp_path)
    assert refused.value.field == name
    assert str(tmp_path / "sheratan.toml") in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHERATAN_WORKER__SLOTS", "many"),
        ("SHERATAN_WORKER__SLOTS", "0"),
        ("SHERATAN_WORKER__SLOTS", "1.5"),
        ("SHERATAN_WORKER__SLOTS", ""),
        ("SHERATAN_DRAIN_SECONDS", "-1"),
        ("SHERATAN_DRAIN_SECONDS", "nan"),
        ("SHERATAN_DRAIN_SECONDS", "soon"),
        ("SHERATAN_LIMITS__BATCH_JOBS_MAX", "-5"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_and_says_where_it_stands(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(tmp_path, environment={name: value})
    assert refused.value.field == name.removeprefix("SHERATAN_").lower().replace("__", ".")
    assert name in str(refused.value)


def test_what_has_a_name_is_set_by_its_name_wherever_it_is_set(tmp_path: Path) -> None:
    write(
        tmp_path / "sheratan.toml",
        '[dependencies.mail]\nurl = "tcp://h:25"\naffects = ["invoices", "news"]\n',
    )
    environment = {
        "SHERATAN_DEPENDENCIES__MAIL__CRITICAL": "true",
        "SHERATAN_DEPENDENCIES__MODEL__URL": "https://[::1]/healthz?x=1",
        "SHERATAN_DEPENDENCIES__MODEL__AFFECTS": "drafts,reviews",
        "SHERATAN_PROBES__CRITICAL": "commit,disk",
    }
    settings, origins = load(tmp_path, environment=environment)
    assert settings.dependencies["mail"] == Dependency(
        url="tcp://h:25", critical=True, affects=("invoices", "news")
    )
    assert settings.dependencies["model"].affects == ("drafts", "reviews")
    assert settings.probes.critical == ("commit", "disk")
    assert origins["dependencies.mail.critical"].origin == "environment SHERATAN_DEPENDENCIES__MAIL__CRITICAL"
    assert origins["dependencies.mail.url"].origin == f"file {tmp_path / 'sheratan.toml'}"
    assert origins["dependencies.model.critical"] == ("dependencies.model.critical", False, "default")


def test_calls_of_a_dependency_are_guarded_as_is_set_whether_it_is_looked_at_or_not(tmp_path: Path) -> None:
    write(
        tmp_path / "sheratan.toml",
        '[dependencies.post.guard]\nconcurrency = 5\n[dependencies.mail]\nurl = "tcp://h:25"\n',
    )
    environment = {"SHERATAN_DEPENDENCIES__POST__GUARD__TIMEOUT_SECONDS": "2.5"}
    settings, origins = load_settings({}, environment, tmp_path)
    assert settings.dependencies["post"] == Dependency(
        guard=GuardSettings(concurrency=5, timeout_seconds=2.5)
    )
    assert settings.dependencies["mail"].guard == GuardSettings()
    shown = {one.name: (one.value, one.origin) for one in origins}
    assert shown["dependencies.post.guard.concurrency"] == (5, f"file {tmp_path / 'sheratan.toml'}")
    assert shown["dependencies.mail.guard.concurrency"] == (20, "default")


def test_targets_have_names_and_rules_are_set_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "sheratan.toml").write_text(
        '[alerts.targets.ops]\nurl = "https://ops/"\n[alerts.rules.queue_age]\nthreshold = 60\n', "utf-8"
    )
    environment = {
        "SHERATAN_ALERTS__TARGETS__OPS__LEAST": "critical",
        "SHERATAN_ALERTS__RULES__QUEUE_AGE__SEVERITY": "critical",
        "SHERATAN_ALERTS__TARGETS__POST__URL": "smtp://mail:25",
        "SHERATAN_ALERTS__TARGETS__POST__SENDER": "a@b",
        "SHERATAN_ALERTS__TARGETS__POST__RECIPIENTS": "c@d,e@f",
    }
    settings, origins = load_settings({}, environment, tmp_path)
    alerts = settings.alerts
    assert (alerts.targets["ops"].url, alerts.targets["ops"].least) == ("https://ops/", "critical")
    assert alerts.targets["post"].recipients == ("c@d", "e@f")
    # What is not set of a rule is its own default, not that of rules in general.
    found = alerts.rules.queue_age
    assert (found.threshold, found.severity, found.hold_seconds) == (60, "critical", 60.0)
    told = {one.name: one.origin for one in origins}
    assert told["alerts.targets.ops.url"].startswith("file")
    assert told["alerts.targets.ops.least"].startswith("environment")
    assert told["alerts.targets.ops.starttls"] == told["alerts.rules.commit.threshold"] == "default"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('[dependencies.mail]\nurl = "tcp://h:25"\nport = 25\n', "dependencies.mail.port"),
        ('[dependencies.a.b]\nurl = "tcp://h:25"\n', "dependencies.a.b.url"),
        ("[dependencies.mail.guard]\nretries = 3\n", "dependencies.mail.guard.retries"),
        ("dependencies = 3\n", "dependencies"),
        ("[dependencies]\nmail = 3\n", "dependencies.mail"),
        ("[probes.NAME]\nurl = 3\n", "probes.NAME.url"),
    ],
)
def test_what_has_a_name_has_no_other_settings(tmp_path: Path, text: str, field: str) -> None:
    write(tmp_path / "sheratan.toml", text)
    with pytest.raises(UnknownSetting) as refused:
        load(tmp_path)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "table",
    [
        "[dependencies.mail]\ncritical = true\n",
        '[dependencies.mail]\naffects = ["news"]\n',
        "[dependencies.mail.guard]\nconcurrency = 0\n",
        "[dependencies.mail.guard]\ntimeout_seconds = 0\n",
        "[dependencies.mail.guard]\nfailing_permille = 0\n",
        "[dependencies.mail.guard]\ntrials = 0\n",
        '[dependencies.mail]\nurl = "h:25"\n',
        '[dependencies.mail]\nurl = "ftp://h:25"\n',
        '[dependencies.mail]\nurl = "tcp://h"\n',
        '[dependencies.mail]\nurl = "tcp://h:0"\n',
        '[dependencies.mail]\nurl = "tcp://h:70000"\n',
        '[dependencies.mail]\nurl = "https://ada:secret@h/"\n',
        '[dependencies.mail]\nurl = "http://h/a b"\n',
        '[dependencies.mail]\nurl = "http://h/\\r\\nX: y"\n',
        '[dependencies.Mail]\nurl = "tcp://h:25"\n',
        '[dependencies."mail,news"]\nurl = "tcp://h:25"\n',
        '[dependencies.disk]\nurl = "tcp://h:25"\n',
        '[dependencies.mail]\nurl = "tcp://h:25"\naffects = ["a,b"]\n',
        '[dependencies.mail]\nurl = "tcp://h:25"\naffects = ["a", "b", "c", "d"]\n',
        '[probes]\ncritical = ["mail"]\n',
        "[probes]\ninterval_seconds = 0\n",
        "".join(f'[dependencies.d{number}]\nurl = "tcp://h:25"\n' for number in range(129)),
    ],
)
def test_a_dependency_that_cannot_be_is_refused(tmp_path: Path, table: str) -> None:
    write(tmp_path / "sheratan.toml", table)
    with pytest.raises(InvalidInput):
        load(tmp_path)


@pytest.mark.parametrize(
    ("table", "field", "said"),
    [
        (
            "[dependencies.mail.guard]\nconcurrency = 0\n",
            "dependencies.mail.guard.concurrency",
            "Expected `int` >= 1",
        ),
        ('[dependencies.mail]\nurl = "ftp://h:25"\n', "dependencies.mail", "is reached by tcp://HOST:PORT"),
        (
            '[alerts.targets.ops]\nurl = "https://h"\nleast = "x"\n',
            "alerts.targets.ops.least",
            "Invalid enum value",
        ),
        ('[dependencies.Mail]\nurl = "tcp://h:25"\n', "dependencies", "at most 32 small letters"),
    ],
)
def test_a_refusal_names_which_one_it_is_and_who_has_set_it(
    tmp_path: Path, table: str, field: str, said: str
) -> None:
    write(tmp_path / "sheratan.toml", f'[dependencies.news]\nurl = "tcp://h:25"\n{table}')
    with pytest.raises(InvalidInput) as refused:
        load(tmp_path)
    assert (refused.value.field, said in refused.value.detail) == (field, True)
    assert f"(set by file {tmp_path / 'sheratan.toml'})" in refused.value.detail
    assert "regex" not in refused.value.detail


@pytest.mark.parametrize(
    "endpoint",
    ["collector:4318", "ftp://h/v1/traces", "https://ada:secret@h/v1/traces", "http://h/a b", "http://"],
)
def test_an_endpoint_of_traces_that_cannot_be_is_refused(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(tmp_path, environment={"SHERATAN_TRACES__ENDPOINT": endpoint})
    assert refused.value.field == "traces.endpoint"


def test_an_endpoint_of_traces_is_taken_as_it_is(tmp_path: Path) -> None:
    for endpoint in ("", "http://127.0.0.1:4318/v1/traces", "https://h"):
        settings, _ = load(tmp_path, environment={"SHERATAN_TRACES__ENDPOINT": endpoint})
        assert settings.traces.endpoint == endpoint


def test_an_address_has_the_port_that_its_scheme_has() -> None:
    assert address_of("http://h") == Address("http", "h", 80, "/")
    assert address_of("https://h/a?b=c") == Address("https", "h", 443, "/a?b=c")
    assert address_of("tcp://[::1]:25") == Address("tcp", "::1", 25, "/")


def test_a_file_that_is_not_toml_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "sheratan.toml", "slots = = 1")
    with pytest.raises(InvalidInput, match="not TOML") as refused:
        load(tmp_path)
    assert refused.value.field == str(tmp_path / "sheratan.toml")


def test_names_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    settings, _ = load(tmp_path, environment={"WORKER__SLOTS": "nonsense", "SHERATANX": "1"})
    assert settings.worker.slots == 256
