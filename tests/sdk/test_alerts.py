"""Alerts through the client of an engine inside a program."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

import pytest

import sheratan
from sheratan.contracts.alerts import AlertRuleName
from sheratan.contracts.errors import NotFound

SECONDS_MAX = 60


def test_a_client_sees_what_is_watched_and_that_nobody_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path) as client:
            assert await client.alerts() == await client.alerts(cleared=True) == []
            found = await client.alerting()
            assert [rule.name for rule in found.rules] == list(get_args(AlertRuleName))
            assert all(rule.on and rule.open == 0 for rule in found.rules)
            assert found.targets == await client.test_alerts() == []
            with pytest.raises(NotFound):
                await client.test_alerts("nobody")

    asyncio.run(scenario())
