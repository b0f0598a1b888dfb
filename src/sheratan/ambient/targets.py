"""Who is told of alerts, and how: by a signed webhook, by mail, or by any service that Apprise knows."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from sheratan.ambient.apprise_target import make_apprise
from sheratan.ambient.clock import Clock
from sheratan.ambient.sending import Guarding, NoSuchTarget, Send
from sheratan.ambient.webhook import make_webhook
from sheratan.contracts.alert_targets import TARGETS_MAX, AlertTarget, TargetKind, check_target, target_kind
from sheratan.contracts.alerts import AlertSettings, Notice
from sheratan.contracts.errors import InvalidInput

__all__ = ["HostTargets", "NoSuchTarget", "Targets"]

_THREADS: Final = 2 * TARGETS_MAX
"""Each target holds at most one, and looks up a name in another; they come into being when they are needed."""


class Targets(Protocol):
    """How notices leave. What goes wrong is raised as an OSError, with the reason and without any secret."""

    async def send(self, target: str, notice: Notice, guard: Guarding) -> None:
        """Give a target a notice, in the block of a guard; returns once it has taken it.

        NoSuchTarget where it wants no more of them.
        """
        ...

    def kind_of(self, target: str) -> TargetKind:
        """How a target is told."""
        ...

    def close(self) -> None:
        """Give back what is needed for it."""
        ...


class HostTargets:
    """The targets of the settings, with their secrets from the environment."""

    def __init__(self, settings: AlertSettings, environment: Mapping[str, str], clock: Clock) -> None:
        """InvalidInput names the setting of a target that cannot be told so."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sheratan-alerts")
        self._clock = clock
        self._kinds: dict[str, TargetKind] = {}
        self._sends: dict[str, Send] = {}
        for name, target in settings.targets.items():
            url = target.url or _variable(environment, name, "url_env", target.url_env)
            secret = ""
            if target.secret_env:
                secret = _variable(environment, name, "secret_env", target.secret_env)
            self._kinds[name] = target_kind(url)
            self._sends[name] = self._make(name, target, url, secret)

    def _make(self, name: str, target: AlertTarget, url: str, secret: str) -> Send:
        field = f"alerts.targets.{name}"
        try:
            check_target(url, target)
            if self._kinds[name] == "webhook":
                return make_webhook(url, secret, self._clock, self._threads)
            if self._kinds[name] == "email":
                from sheratan.ambient.mail import make_mail  # noqa: PLC0415 - what it needs takes a while to load

                return make_mail(url, secret, target, self._threads)
            return make_apprise(url, self._threads)
        except ValueError as error:
            raise InvalidInput(str(error), field=field) from None

    async def send(self, target: str, notice: Notice, guard: Guarding) -> None:
        """Give a target a notice."""
        await self._sends[target](notice, guard)

    def kind_of(self, target: str) -> TargetKind:
        """How a target is told."""
        return self._kinds[target]

    def close(self) -> None:
        """Give the threads back; nobody waits for what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _variable(environment: Mapping[str, str], name: str, field: str, variable: str) -> str:
    value = environment.get(variable, "")
    if not value:
        raise InvalidInput(f"the environment has no {variable}", field=f"alerts.targets.{name}.{field}")
    return value
