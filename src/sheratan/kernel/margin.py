"""How much of what an attempt was charged does its worker get? The less reliable it is, the more the operator keeps."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sheratan.kernel.rules import Verdict, rule

__all__ = [
    "LATENCY_MS_MAX",
    "MARGIN",
    "UNKNOWN",
    "Reliability",
    "decide_margins",
    "margin_permille",
    "observed",
    "share_text",
]

MARGIN: Final = "ledger.margin@1"

LATENCY_MS_MAX: Final = 1_500
"""What takes longer counts as this: one long attempt says no more about the next one than a slow one does."""

_MARGIN_MIN, _MARGIN_MAX = 100, 400
_OF_FAILURES, _OF_LATENCY = 200, 100
"""In thousandths of what was charged: what failures and latency add at most to the least margin."""

_TOLD_MAX: Final = 3
_WEIGHT: Final = 8
"""Each attempt counts for an eighth of what is known then."""


class Reliability(NamedTuple):
    """How a worker did of late, in sums of eight: of thousandths that succeeded, and of milliseconds.

    A mean in which each attempt counts for an eighth, kept eightfold: so integers lose nothing by rounding.
    """

    success: int
    latency: int
    attempts: int

    @property
    def success_permille(self) -> int:
        """Of a thousand attempts, how many succeed."""
        return self.success // _WEIGHT

    @property
    def latency_ms(self) -> int:
        """How long an attempt takes."""
        return self.latency // _WEIGHT


UNKNOWN: Final = Reliability(_WEIGHT * 500, _WEIGHT * LATENCY_MS_MAX, 0)
"""Of a worker that has done nothing yet: neither good nor bad, and slow: a good record is worth more than a name."""


def observed(known: Reliability, *, succeeded: bool, latency_ms: int) -> Reliability:
    """What is known of a worker after one more attempt."""
    success = known.success - known.success_permille + (1_000 if succeeded else 0)
    latency = known.latency - known.latency_ms + min(latency_ms, LATENCY_MS_MAX)
    return Reliability(success, latency, known.attempts + 1)


@rule("ledger.margin", 1)
def decide_margins(given: dict[str, Any]) -> Verdict:
    """Choose for each amount what the operator keeps of it, in thousandths, and the share of the worker.

    Input: shares, each the worker's account, unit, amount, success in thousandths, latency in milliseconds. The margin
    is rounded down to a minor unit; the rest is the worker's.
    """
    chosen = [_shared(amount, success, latency_ms) for _, _, amount, success, latency_ms in given["shares"]]
    told = [share_text(*both) for both in zip(given["shares"][:_TOLD_MAX], chosen, strict=False)]
    if len(chosen) > _TOLD_MAX:
        told.append(f"And {len(chosen) - _TOLD_MAX} more.")
    return Verdict(chosen, " ".join(told))


def margin_permille(success: int, latency_ms: int) -> int:
    """How much the operator keeps, in thousandths, by what succeeds of a thousand and by how long it takes."""
    failures = _OF_FAILURES * (1_000 - success) // 1_000
    slowness = _OF_LATENCY * min(latency_ms, LATENCY_MS_MAX) // LATENCY_MS_MAX
    return min(max(_MARGIN_MIN + failures + slowness, _MARGIN_MIN), _MARGIN_MAX)


def _shared(amount: int, success: int, latency_ms: int) -> list[int]:
    permille = margin_permille(success, latency_ms)
    return [permille, amount - amount * permille // 1_000]


def share_text(share: list[Any], chosen: list[int]) -> str:
    """One sentence about an amount that is shared."""
    (account, unit, amount, success, latency_ms), (permille, part) = share, chosen
    return (
        f"Of {amount} minor units of {unit} {account} gets {part}: of its attempts {success} in 1000 succeed, in "
        f"{latency_ms} ms, so {permille} in 1000 stay with the operator."
    )
