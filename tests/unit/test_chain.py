"""Entries as bytes."""

from __future__ import annotations

import msgspec

from sheratan.contracts.journal import GENESIS, Entry
from sheratan.kernel.canonical import canonical
from sheratan.kernel.chain import decode_entry, encode_entry


def entry() -> Entry:
    """An entry with every field set, and its facts in no order."""
    return Entry(
        seq=3,
        at=5,
        tenant="default",
        type="job.succeeded",
        subject="job_x",
        actor="worker:w/1",
        on_behalf_of="local:me",
        auth="peer",
        policy=0,
        prev=GENESIS,
        data={"output": "f" * 64, "attempt": 1, "error": {"type": "E", "class": "bug"}},
        decision={
            "rule": "job.settle@1",
            "input": {"outcome": "succeeded", "attempt": 1},
            "chosen": "succeeded",
        },
        previous=2,
        cause=1,
        v=2,
    )


def test_an_entry_is_written_in_canonical_form_whatever_the_order_of_its_facts() -> None:
    line = encode_entry(entry())
    assert line == canonical(msgspec.json.decode(line))
    assert decode_entry(line) == entry()


def test_the_fields_of_an_entry_are_declared_in_canonical_order() -> None:
    assert list(Entry.__struct_fields__) == sorted(Entry.__struct_fields__)
