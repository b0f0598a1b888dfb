"""Who is told of alerts: how a target is named and reached, and which URLs it may have."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec

from sheratan.contracts.health import address_of
from sheratan.contracts.patterns import DEPENDENCY, MAILBOX, VARIABLE

__all__ = [
    "TARGETS_MAX",
    "AlertSeverity",
    "AlertTarget",
    "TargetKind",
    "TargetName",
    "check_target",
    "target_kind",
]

AlertSeverity = Literal["warning", "critical"]

TARGETS_MAX: Final = 32

TargetName = Annotated[str, msgspec.Meta(pattern=DEPENDENCY)]
"""Name of a target: small letters, digits, `_` and `-`, at most 32."""

Variable = Annotated[str, msgspec.Meta(pattern=VARIABLE)]
"""Name of an environment variable that is none of Sheratan's settings; empty: none."""

Mailbox = Annotated[str, msgspec.Meta(pattern=MAILBOX)]

TargetKind = Literal["webhook", "email", "apprise"]

_KINDS: Final[dict[str, TargetKind]] = {
    "http": "webhook",
    "https": "webhook",
    "smtp": "email",
    "smtps": "email",
}
_SMTP: Final = re.compile(r"smtps?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?/?")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+")


class AlertTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody who is told. Secrets stand in the environment: settings are shown to whoever looks."""

    url: str = ""
    url_env: Variable = ""
    secret_env: Variable = ""
    least: AlertSeverity = "warning"
    sender: Mailbox = ""
    recipients: Annotated[tuple[Mailbox, ...], msgspec.Meta(max_length=32)] = ()
    user: str = ""
    starttls: bool = True

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.url_env):
            raise ValueError("a target has either a url or a url_env")
        if self.url:
            check_target(self.url, self)


def target_kind(url: str) -> TargetKind:
    """How the target at a URL is told: `webhook`, `email` or `apprise`."""
    return _KINDS.get(url.partition("://")[0], "apprise")


def check_target(url: str, target: AlertTarget) -> None:
    """Raise ValueError where a URL is none that this target may have; the text does not hold it."""
    kind = target_kind(url)
    if kind == "webhook":
        _check_webhook(url)
    if kind == "email":
        _check_mail(url, target)
    if kind == "apprise" and _SCHEME.fullmatch(url) is None:
        raise ValueError("a target is reached by https://, smtp://, smtps:// or any URL that Apprise knows")
    if kind == "apprise" and target.url:
        raise ValueError(
            "an Apprise URL holds credentials: name the environment variable that has it, by url_env"
        )


def _check_webhook(url: str) -> None:
    try:
        address_of(url)
    except ValueError:
        raise ValueError("a webhook is https://HOST/PATH or http://HOST/PATH, without a user") from None


def _check_mail(url: str, target: AlertTarget) -> None:
    if _SMTP.fullmatch(url) is None:
        raise ValueError("a mail server is smtp://HOST:PORT or smtps://HOST:PORT, without a user")
    if not (target.sender and target.recipients):
        raise ValueError("a mail needs a sender and recipients")
    if url.startswith("smtp:") and target.secret_env and not target.starttls:
        raise ValueError("a password is sent by STARTTLS or smtps:// only")
