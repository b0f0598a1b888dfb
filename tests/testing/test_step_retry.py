"""Steps with tries of their own: none is lost or made twice, none uses up an attempt, none holds a slot."""

from __future__ import annotations

import pytest

from sheratan import Context, Fatal, RateLimited, StepFailed, StepRetry, job, testing
from sheratan.contracts.errors import JobFailed
from sheratan.sdk.step_retry import TRIES_MAX


class Flaky:
    """A service that fails in its first calls."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error or ConnectionError("no route")

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return f"call {self.calls}"


SERVICE = Flaky(0)
_FIVE = StepRetry(tries_max=5, backoff_base_seconds=10.0, backoff_max_seconds=20.0)


@job(attempts_max=1)
async def patient(ctx: Context) -> str:
    said: str = await ctx.step("call", SERVICE, retry=_FIVE)
    return said


@job(attempts_max=1)
async def careful(ctx: Context) -> str:
    try:
        await ctx.step("call", SERVICE, retry=StepRetry(tries_max=2))
    except StepFailed as failure:
        return f"{failure.error_class}: {failure.error.message}"
    return "well"


def _service(monkeypatch: pytest.MonkeyPatch, failures: int, error: Exception | None = None) -> Flaky:
    service = Flaky(failures, error)
    monkeypatch.setattr(f"{__name__}.SERVICE", service)
    return service


@testing.in_world([patient])
async def test_tries_use_up_no_attempts_and_are_all_recorded(
    world: testing.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = _service(monkeypatch, failures=3)
    handle = await world.client.submit(patient)
    assert await handle.result() == "call 4"
    assert service.calls == 4
    steps = await world.client.steps(handle.id)
    assert [step.name for step in steps] == ["call", "wait:retry:call"] * 3 + ["call"]
    assert [step.error and step.error.error_class for step in steps[::2]] == ["retryable"] * 3 + [None]


@testing.in_world([patient])
async def test_the_last_try_fails_for_good(world: testing.World, monkeypatch: pytest.MonkeyPatch) -> None:
    service = _service(monkeypatch, failures=9)
    with pytest.raises(JobFailed, match="no route"):
        await world.client.run(patient)
    assert service.calls == 5


@testing.in_world([patient])
async def test_an_error_that_is_final_is_not_tried_again(
    world: testing.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = _service(monkeypatch, failures=9, error=Fatal("no such account"))
    with pytest.raises(JobFailed, match="no such account"):
        await world.client.run(patient)
    assert service.calls == 1


@testing.in_world([careful])
async def test_a_handler_may_go_another_way_after_the_last_try(
    world: testing.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = _service(monkeypatch, failures=9)
    assert await world.client.run(careful) == "fatal: no route"
    assert service.calls == 2


@testing.in_world([patient])
async def test_what_a_service_asks_for_is_waited_for(
    world: testing.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _service(monkeypatch, failures=1, error=RateLimited("slowly", retry_after_seconds=3_600))
    before = world.now
    assert await world.client.run(patient) == "call 2"
    assert (world.now - before).total_seconds() >= 3_600


@testing.in_world([patient])
async def test_no_crash_makes_a_recorded_try_again(
    world: testing.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = _service(monkeypatch, failures=2)
    world.crash_at("wait:retry:call")
    world.crash_at("call", when="after")
    handle = await world.client.submit(patient)
    assert await handle.result() == "call 3"
    assert service.calls == 3
    assert [step.occurrence for step in await world.client.steps(handle.id)] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("tries", range(1, 12))
def test_a_wait_stays_within_its_bounds(tries: int) -> None:
    drawn = [_FIVE.delay_seconds(f"job_{n}", "call/1", tries) for n in range(500)]
    ceiling = min(20.0, 10.0 * 2 ** (tries - 1))
    assert 0 <= min(drawn) < 0.05 * ceiling
    assert 0.95 * ceiling < max(drawn) < ceiling
    assert _FIVE.delay_seconds("job_7", "call/1", tries) == drawn[7]


@pytest.mark.parametrize(
    ("retry", "field"),
    [
        (StepRetry(tries_max=0), "tries_max"),
        (StepRetry(tries_max=TRIES_MAX + 1), "tries_max"),
        (StepRetry(backoff_base_seconds=-1.0), "backoff_base_seconds"),
        (StepRetry(backoff_max_seconds=float("nan")), "backoff_max_seconds"),
    ],
)
def test_a_retry_that_makes_no_sense_is_refused_by_its_field(retry: StepRetry, field: str) -> None:
    @job
    async def wrong(ctx: Context) -> None:
        await ctx.step("call", lambda: None, retry=retry)

    @testing.in_world([wrong])
    async def check(world: testing.World) -> None:
        with pytest.raises(JobFailed, match=field):
            await world.client.run(wrong)

    check()
