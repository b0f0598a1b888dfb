"""Does the condition of a node hold?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from sheratan.contracts.references import sole_reference
from sheratan.contracts.values import pointer
from sheratan.contracts.workflows import (
    AllOf,
    AnyOf,
    AtLeast,
    AtMost,
    Comparison,
    Condition,
    Contains,
    Equals,
    Exists,
    GreaterThan,
    In,
    LessThan,
    Not,
    NotEquals,
)
from sheratan.kernel.canonical import canonical
from sheratan.kernel.references import Resolved, Scope, Unresolved, look_up, resolve, type_name

__all__ = ["Answer", "evaluate"]

_SHOWN_MAX: Final = 60


class Answer(msgspec.Struct, frozen=True):
    """Whether a condition holds, and one sentence why. It shows what was declared, never a value looked up."""

    holds: bool
    because: str


Operator = Callable[[Any, Any], bool]


def evaluate(
    condition: Condition, scope: Scope, *, field: str, bytes_max: int
) -> Answer | tuple[Unresolved, ...]:
    """Whether a condition holds, or what keeps it from being answered.

    That is a reference that leads to nothing, or two values that the comparison does not apply to. What stands
    after the deciding part of an `all` or `any` is not looked at, so that `exists` can guard what follows.
    """
    if isinstance(condition, Exists):
        return _exists(condition, scope, field)
    if isinstance(condition, Not):
        answer = evaluate(condition.of, scope, field=f"{field}/of", bytes_max=bytes_max)
        return Answer(not answer.holds, answer.because) if isinstance(answer, Answer) else answer
    if isinstance(condition, AllOf | AnyOf):
        return _combine(condition, scope, field, bytes_max)
    return _compare(condition, scope, field, bytes_max)


def _exists(condition: Exists, scope: Scope, field: str) -> Answer | tuple[Unresolved, ...]:
    reference = sole_reference(condition.value, field=f"{field}/value")
    if reference is None:
        return (
            Unresolved(f"{field}/value", condition.value, "exists asks for one reference and nothing else"),
        )
    found = look_up(reference, scope, field=f"{field}/value")
    if isinstance(found, Resolved):
        return Answer(True, f"{reference} exists.")
    return Answer(False, f"{reference} does not exist: {found.reason}.")


def _combine(
    condition: AllOf | AnyOf, scope: Scope, field: str, bytes_max: int
) -> Answer | tuple[Unresolved, ...]:
    deciding = isinstance(condition, AnyOf)
    for place, part in enumerate(condition.of):
        answer = evaluate(part, scope, field=pointer(f"{field}/of", place), bytes_max=bytes_max)
        if not isinstance(answer, Answer) or answer.holds is deciding:
            return answer
    return Answer(
        not deciding, "None of the conditions holds." if deciding else "All of the conditions hold."
    )


def _compare(
    condition: Comparison, scope: Scope, field: str, bytes_max: int
) -> Answer | tuple[Unresolved, ...]:
    sides = {"value": condition.value, "other": condition.other}
    found = resolve(sides, scope, field=field, bytes_max=bytes_max)
    if not isinstance(found, Resolved):
        return found
    value, other = found.value["value"], found.value["other"]
    words, applies, operator = _OPERATORS[type(condition)]
    if not applies(value, other):
        tag = condition.__struct_config__.tag
        reason = f"{tag} does not apply to {type_name(value)} and {type_name(other)}"
        return (Unresolved(f"{field}/value", _shown(condition.value), reason),)
    holds = operator(value, other)
    verb = words if holds else words.replace("is ", "is not ", 1).replace("contains", "does not contain")
    return Answer(holds, f"{_shown(condition.value)} {verb} {_shown(condition.other)}.")


def _shown(declared: Any) -> str:
    """A side of a comparison as it was declared, shortened."""
    text = declared if isinstance(declared, str) and "${" in declared else canonical(declared).decode()
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 1]}…"


def _anything(value: Any, other: Any) -> bool:
    return True


def _ordered(value: Any, other: Any) -> bool:
    """Two numbers or two texts; a truth value is no number."""
    kinds = {type_name(value), type_name(other)}
    return kinds in ({"a number"}, {"text"})


def _holding(value: Any, other: Any) -> bool:
    """A list that may hold anything; a text or an object that may hold a text."""
    return type_name(value) == "a list" or (
        type_name(value) in ("text", "an object") and isinstance(other, str)
    )


def _same(value: Any, other: Any) -> bool:
    """The same JSON value. Python would hold 1 and True for the same."""
    return canonical(value) == canonical(other)


def _contains(value: Any, other: Any) -> bool:
    if isinstance(other, str):
        return other in value
    wanted = canonical(other)
    return any(canonical(item) == wanted for item in value)


_OPERATORS: Final[dict[type[Comparison], tuple[str, Operator, Operator]]] = {
    Equals: ("is equal to", _anything, _same),
    NotEquals: ("is different from", _anything, lambda value, other: not _same(value, other)),
    GreaterThan: ("is greater than", _ordered, lambda value, other: value > other),
    LessThan: ("is less than", _ordered, lambda value, other: value < other),
    AtLeast: ("is at least", _ordered, lambda value, other: value >= other),
    AtMost: ("is at most", _ordered, lambda value, other: value <= other),
    In: (
        "is in",
        lambda value, other: _holding(other, value),
        lambda value, other: _contains(other, value),
    ),
    Contains: ("contains", _holding, _contains),
}
