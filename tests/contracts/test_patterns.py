"""The shapes of names: none ends in a line feed, and whoever gives another one is told in words what is asked for."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from sheratan.contracts import patterns
from sheratan.contracts.alert_targets import Mailbox, TargetName, Variable
from sheratan.contracts.approvals import Digest, PrincipalName
from sheratan.contracts.code import CodeDigest
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.health import DependencyName
from sheratan.contracts.jobs import Name, Partition
from sheratan.contracts.ledger import AccountName, TransferId, Unit
from sheratan.contracts.ledger_requests import Cursor
from sheratan.contracts.retention import WorkflowOrOthers
from sheratan.contracts.spending import BudgetSubject
from sheratan.contracts.telemetry import TraceSettings
from sheratan.contracts.tracing import Traceparent
from sheratan.contracts.values import convert
from sheratan.contracts.workflows import NodeName

SHAPES: list[tuple[Any, str]] = [
    (AccountName, "tenant:acme"),
    (AccountName, "operator"),
    (BudgetSubject, "partition:a/b"),
    (CodeDigest, "abc"),
    (CodeDigest, ""),
    (Cursor, "12"),
    (DependencyName, "stripe"),
    (Digest, "a" * 64),
    (Mailbox, "ops@example.org"),
    (Mailbox, ""),
    (Name, "mail"),
    (NodeName, "each-one"),
    (Partition, "a:b"),
    (PrincipalName, "local:anna"),
    (TargetName, "ops"),
    (Traceparent, f"00-{'1' * 32}-{'2' * 16}-01"),
    (TransferId, f"transfer_{'0' * 32}"),
    (Unit, "EUR"),
    (Variable, "OPS_SECRET"),
    (Variable, ""),
    (WorkflowOrOthers, "audit"),
    (WorkflowOrOthers, ""),
]


@pytest.mark.parametrize(("shape", "text"), SHAPES, ids=range(len(SHAPES)))
def test_a_name_is_as_its_shape_says_and_ends_in_no_line_feed(shape: Any, text: str) -> None:
    assert convert(text, shape) == text
    with pytest.raises(InvalidInput) as refused:
        convert(f"{text}\n", shape)
    assert str(refused.value).removeprefix("Expected ") in patterns.PATTERN_WORDS.values()


def test_a_refusal_names_the_field_and_no_pattern() -> None:
    with pytest.raises(InvalidInput) as refused:
        convert({"endpoint": "ftp://x"}, TraceSettings)
    assert (refused.value.field, "begins with http://" in refused.value.detail) == ("endpoint", True)
    assert "regex" not in str(refused.value)


def test_every_pattern_is_one_and_has_words() -> None:
    shapes = {name for name in patterns.__all__ if name not in ("DEPENDENCY_NAME", "PATTERN_WORDS")}
    assert {getattr(patterns, name) for name in shapes} == patterns.PATTERN_WORDS.keys()
    for pattern in patterns.PATTERN_WORDS:
        assert re.compile(pattern)
        msgspec.Meta(pattern=pattern)
