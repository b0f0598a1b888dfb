"""Jobs that wait for an approval: who may decide, what of, how often, until when, and what the handler gets."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.approvals import DELEGATIONS_MAX
from sheratan.contracts.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    LostLease,
    NotAllowed,
    NotFound,
    TooLarge,
)
from sheratan.contracts.jobs import JobError, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Wait
from sheratan.engine.commands import Vote
from sheratan.engine.explain import story
from sheratan.engine.verify import verify
from sheratan.kernel.canonical import canonical
from tests.engine.approving import ANNA, BEN, CARL, DORA, ask, asked, delegate, person, seen, vote, wait
from tests.engine.world import PERSON, SECOND, World

LISTED = ("local:anna", "local:ben")
SUBJECT = {"tool": "rm", "arguments": ["-r", "/srv/ö"], "price": 1.5}
WORKER = Principal(actor="worker:w/5", auth="peer", on_behalf_of="local:anna")


def given_to_handler(world: World, job: str) -> Any:
    [(_, _, output)] = world.recorded(job)
    return output


def test_one_approval_lets_the_handler_go_on_with_who_when_why_and_what(world: World) -> None:
    job, approval = asked(world, "May I?", subject=SUBJECT, approvers=LISTED)
    assert world.state_of(job) == "waiting"
    assert not world.state.held, "it holds no slot"
    world.clock.advance(5 * SECOND)
    entry = vote(world, approval, BEN, comment="looks right")
    assert world.state_of(job) == "queued"
    record = seen(world, approval)
    assert given_to_handler(world, job) == {
        "id": approval,
        "digest": record.digest,
        "by": [
            {"actor": "local:ben", "at_us": world.clock.now_us(), "comment": "looks right", "entry": entry}
        ],
    }
    assert (record.state, record.ended, record.waits_for) == ("approved", entry, [])
    assert world.last("step.succeeded").cause == entry
    assert world.state.asking == {}


def test_the_digest_is_that_of_the_canonical_request_and_the_subject_is_kept_apart(world: World) -> None:
    job, approval = asked(world, "May I?", subject=SUBJECT, approvers=("local:ben", "local:anna"))
    record = seen(world, approval)
    subject = hashlib.sha256(canonical(SUBJECT)).hexdigest()
    terms = {
        "job": job, "name": "wait:approval", "occurrence": 1, "question": "May I?", "subject": subject,
        "approvers": list(LISTED), "needed": 1, "self_approval": False,
    }  # fmt: skip
    assert record.digest == hashlib.sha256(canonical(terms)).hexdigest()
    assert (record.subject, record.subject_digest) == (SUBJECT, subject)
    data = world.last("approval.asked").data
    assert (data["digest"], data["subject"]) == (record.digest, subject), "the journal carries digests alone"


def test_a_vote_about_another_digest_is_refused_with_both(world: World) -> None:
    _, approval = asked(world)
    right = seen(world, approval).digest
    with pytest.raises(Conflict, match="look at it again") as refused:
        vote(world, approval, digest="0" * 64)
    assert refused.value.field == "digest"
    assert refused.value.extra == {"asked": right, "given": "0" * 64}
    assert seen(world, approval).state == "open"


def test_the_same_request_of_another_job_has_another_digest(world: World) -> None:
    _, one = asked(world, "Go?", subject=1)
    _, other = asked(world, "Go?", subject=1)
    with pytest.raises(Conflict):
        vote(world, other, digest=seen(world, one).digest)


def test_a_denial_fails_the_wait_for_good(world: World) -> None:
    job, approval = asked(world, approvers=LISTED, approvals=2)
    vote(world, approval, ANNA)
    vote(world, approval, BEN, "deny", comment="too much")
    assert seen(world, approval).state == "denied"
    error = given_to_handler(world, job)
    assert error == JobError(
        error_class="fatal", type="ApprovalDenied", message=f"local:ben has denied {approval}: too much"
    )


def test_what_nobody_decides_in_time_expires_and_not_before(world: World) -> None:
    job, approval = asked(world, seconds=60)
    world.tick(59)
    assert world.state_of(job) == "waiting"
    world.tick(1)
    assert seen(world, approval).state == "expired"
    assert given_to_handler(world, job).type == "ApprovalExpired"
    with pytest.raises(Conflict, match="expired"):
        vote(world, approval)


def test_a_vote_past_the_deadline_counts_for_nothing_although_no_timer_rang_yet(world: World) -> None:
    _, approval = asked(world, until_us=world.clock.now_us() + 60 * SECOND)
    command = Vote(id=approval, verdict="approve", digest=seen(world, approval).digest)
    world.clock.advance(60 * SECOND)
    [answer] = world.batch(command, by=ANNA)
    with pytest.raises(Conflict, match="its deadline was"):
        _ = answer.value
    assert seen(world, approval).state == "expired"


def test_so_many_people_must_approve_and_each_counts_once(world: World) -> None:
    job, approval = asked(world, approvers=("local:anna", "local:ben", "local:carl"), approvals=2)
    first = vote(world, approval, ANNA)
    assert vote(world, approval, ANNA) == first, "saying it again is no other vote"
    assert (world.state_of(job), seen(world, approval).waits_for) == ("waiting", ["local:ben", "local:carl"])
    vote(world, approval, CARL)
    assert world.state_of(job) == "queued"
    assert [one["actor"] for one in given_to_handler(world, job)["by"]] == ["local:anna", "local:carl"]


def test_what_somebody_has_said_stands(world: World) -> None:
    _, approval = asked(world, approvers=LISTED, approvals=2)
    vote(world, approval, ANNA)
    with pytest.raises(Conflict, match="that stands") as refused:
        vote(world, approval, ANNA, "deny")
    assert refused.value.field == "verdict"


def test_it_is_used_once(world: World) -> None:
    job, approval = asked(world, approvers=LISTED)
    entry = vote(world, approval, ANNA)
    assert vote(world, approval, ANNA) == entry
    for verdict in ("approve", "deny"):
        with pytest.raises(Conflict, match=r"approved .* used once"):
            vote(world, approval, BEN, verdict)
    assert world.types().count("approval.voted") == 1
    [again] = world.lease(world.register("v"))
    world.park(again, Wait(name="wait:approval", occurrence=1, what="approval", key=approval))
    assert world.state_of(job) == "queued"


@pytest.mark.parametrize(
    ("approvers", "who", "text"),
    [
        (LISTED, CARL, "is none of those who may decide"),
        (LISTED, PERSON, "has asked for the job"),
        ((), PERSON, "has asked for the job"),
        ((), WORKER, "is none of those"),
        (("local:anna", PERSON.actor), PERSON, "has asked for the job"),
        ((), Principal(actor="engine", auth="engine", on_behalf_of="engine"), "is none of those"),
    ],
)
def test_who_has_no_say_is_refused(
    world: World, approvers: tuple[str, ...], who: Principal, text: str
) -> None:
    _, approval = asked(world, approvers=approvers)
    for verdict in ("approve", "deny"):
        with pytest.raises(NotAllowed, match=text):
            vote(world, approval, who, verdict)
    assert seen(world, approval).acts == []


def test_whoever_asked_for_the_job_may_decide_where_that_is_said(world: World) -> None:
    job, approval = asked(world, approvers=(PERSON.actor,), self_approval=True)
    assert seen(world, approval).requester == PERSON.actor
    vote(world, approval, PERSON)
    assert world.state_of(job) == "queued"


def test_a_child_is_asked_for_by_whoever_asked_for_its_parent(world: World) -> None:
    parent = world.submit()
    session = world.register()
    [given] = world.lease(session)
    [child] = world.spawn(given, 1, Submission(kind="work"))
    assert parent != child
    [spawned] = world.lease(session)
    approval = ask(world, spawned)
    assert seen(world, approval).requester == PERSON.actor
    with pytest.raises(NotAllowed):
        vote(world, approval, PERSON)


def test_the_requester_is_found_behind_many_steps_and_other_jobs(world: World) -> None:
    jobs = world.ask(world.submissions(*[Submission(kind="work") for _ in range(30)]), ANNA)
    session = world.register()
    assigned = world.lease(session, 30)
    last = assigned[-1]
    world.steps(last, *((step, f"part-{step}", step) for step in range(1, 20)))
    approval = ask(world, last)
    assert (seen(world, approval).requester, last.id) == ("local:anna", jobs[-1][0])


def test_a_say_is_handed_on_and_then_another_decides(world: World) -> None:
    job, approval = asked(world, approvers=LISTED)
    entry = delegate(world, approval, ANNA, CARL, "on holiday")
    assert delegate(world, approval, ANNA, CARL) == entry
    assert seen(world, approval).waits_for == ["local:carl", "local:ben"]
    with pytest.raises(NotAllowed, match="has handed their say on"):
        vote(world, approval, ANNA)
    delegate(world, approval, CARL, DORA)
    vote(world, approval, DORA)
    assert world.state_of(job) == "queued"
    assert [(act.actor, act.what, act.to, act.comment) for act in seen(world, approval).acts] == [
        ("local:anna", "delegate", "local:carl", "on holiday"),
        ("local:carl", "delegate", "local:dora", ""),
        ("local:dora", "approve", None, ""),
    ]


def test_no_say_goes_to_the_requester_round_in_a_circle_to_a_machine_or_for_ever(world: World) -> None:
    _, approval = asked(world, approvers=LISTED)

    def refused(by: Principal, to: Principal, text: str) -> None:
        with pytest.raises(Conflict, match=text) as error:
            delegate(world, approval, by, to)
        assert error.value.field == "to"

    refused(ANNA, PERSON, "has asked for the job")
    refused(ANNA, ANNA, "is handing it on now")
    refused(ANNA, WORKER, "is no person")
    with pytest.raises(NotAllowed):
        delegate(world, approval, CARL, DORA)
    delegate(world, approval, ANNA, CARL)
    refused(CARL, ANNA, "has handed on")
    holder = CARL
    for hand in range(2, DELEGATIONS_MAX + 1):
        delegate(world, approval, holder, receiver := person(f"p{hand}"))
        holder = receiver
    refused(holder, DORA, "hands")
    vote(world, approval, holder)


def test_handing_on_leaves_as_many_people_as_must_approve(world: World) -> None:
    _, approval = asked(world, approvers=LISTED, approvals=2)
    with pytest.raises(Conflict, match="only 1 person would be left"):
        delegate(world, approval, ANNA, BEN)
    vote(world, approval, ANNA)
    for giver, receiver, text in (
        (ANNA, CARL, "local:anna has decided"),
        (BEN, ANNA, "local:anna has decided"),
    ):
        with pytest.raises(Conflict, match=text):
            delegate(world, approval, giver, receiver)
    _, anyone = asked(world)
    with pytest.raises(Conflict, match="nothing to hand on"):
        delegate(world, anyone, ANNA, BEN)


def test_nothing_is_handed_on_once_it_has_ended(world: World) -> None:
    _, approval = asked(world, approvers=LISTED, seconds=5)
    world.tick(5)
    with pytest.raises(Conflict, match="is expired"):
        delegate(world, approval, ANNA, CARL)


def test_a_job_that_ends_cancels_what_it_has_asked_for(world: World) -> None:
    job, approval = asked(world)
    world.cancel(job)
    assert seen(world, approval).state == "cancelled"
    assert world.last("approval.cancelled").cause == world.last("job.cancelled").seq
    with pytest.raises(Conflict, match="is cancelled"):
        vote(world, approval)
    assert world.state.asking == {}


def test_a_job_that_succeeds_without_waiting_cancels_it_too(world: World) -> None:
    world.submit()
    [given] = world.lease(world.register())
    approval = ask(world, given)
    assert world.settle(given)
    assert seen(world, approval).state == "cancelled"


def test_it_stays_through_failures_retries_and_crashes_with_its_deadline(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    job = world.submit(backoff_base_seconds=0.0)
    [given] = world.lease(world.register())
    approval = ask(world, given, "Go?", subject=SUBJECT, seconds=60)
    world.fail(given)
    world.tick(20)
    world.crash()
    [again] = world.lease(world.register("v"))
    assert ask(world, again, "Go?", subject=SUBJECT, seconds=60) == approval
    assert world.park(again, wait(approval))
    world.crash()
    assert world.state.asking == {again.number: {int(approval.partition(":")[2])}}
    world.tick(39)
    assert world.state_of(job) == "waiting"
    vote(world, approval)
    assert world.state_of(job) == "queued"
    assert world.types().count("approval.asked") == 1
    assert verify(world.store).problems == []
    world.check()
    world.close()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"question": "Go now?"}, "question"),
        ({"subject": {"n": 2}}, "subject"),
        ({"approvers": LISTED}, "approvers"),
        ({"approvals": 2}, "needed"),
        ({"self_approval": True}, "self_approval"),
    ],
)
@pytest.mark.parametrize("decided", [False, True])
def test_a_handler_that_asks_for_something_else_is_refused(
    world: World, change: dict[str, Any], field: str, decided: bool
) -> None:
    world.submit()
    [given] = world.lease(world.register())
    first = ask(world, given, "Go?", subject={"n": 1})
    if decided:
        vote(world, first)
    other: dict[str, Any] = {"question": "Go?", "subject": {"n": 1}} | change
    with pytest.raises(Conflict, match=f"another {field}") as refused:
        ask(world, given, **other)
    assert refused.value.field == field
    assert ask(world, given, "Go?", subject={"n": 1}, seconds=9) == first, "the deadline holds"


def test_it_may_be_decided_before_its_handler_waits(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    approval = ask(world, given)
    vote(world, approval)
    assert world.park(given, wait(approval))
    assert world.state_of(job) == "queued"
    assert given_to_handler(world, job)["id"] == approval


def test_a_handler_waits_for_its_own_requests_only(world: World) -> None:
    _, other = asked(world)
    world.submit()
    [given] = world.lease(world.register("v"))
    own = ask(world, given)
    for key, name in ((other, "wait:approval"), (own, "wait:approval:other")):
        with pytest.raises(InvalidInput, match="has not asked for"):
            world.park(given, wait(key, name))
    with pytest.raises(NotFound):
        world.park(given, wait("approval:99999"))


def test_an_attempt_that_was_given_up_asks_for_nothing(world: World) -> None:
    world.submit(backoff_base_seconds=0.0)
    [given] = world.lease(world.register())
    world.fail(given)
    with pytest.raises(LostLease):
        ask(world, given)
    assert "approval.asked" not in world.types()


@pytest.mark.parametrize(
    ("more", "field", "error"),
    [
        ({"approvers": LISTED, "approvals": 3}, "approvals", InvalidInput),
        ({"approvers": (*LISTED, PERSON.actor), "approvals": 3}, "approvals", InvalidInput),
        ({"approvers": (PERSON.actor,)}, "approvals", InvalidInput),
        ({"subject": object()}, "subject", InvalidInput),
        ({"subject": "x" * 200}, "subject", TooLarge),
        ({"seconds": 1, "until_us": 1}, "until_us", InvalidInput),
        ({"question": "the key is AKIAIOSFODNN7EXAMPLE"}, "question", InvalidInput),
    ],
)
def test_what_nobody_could_approve_is_refused_by_field(
    more: dict[str, Any], field: str, error: type[InvalidInput]
) -> None:
    world = World(limits=Limits(payload_bytes_max=100))
    world.submit()
    [given] = world.lease(world.register())
    with pytest.raises(error) as refused:
        ask(world, given, **more)
    assert refused.value.field == field


def test_so_many_may_be_open_at_once(world: World) -> None:
    world = World(limits=Limits(approvals_open_max=2))
    _, first = asked(world)
    asked(world)
    world.submit()
    [given] = world.lease(world.register("v"))
    with pytest.raises(LimitReached, match=r"limits\.approvals_open_max"):
        ask(world, given)
    vote(world, first)
    assert ask(world, given)


@pytest.mark.parametrize(
    "text", ["approval:0", "approval:x", "approval:٣", "approval:01", "job", "approval:" + "9" * 40]
)
def test_an_approval_that_is_not_there_is_not_found(world: World, text: str) -> None:
    asked(world)
    with pytest.raises(NotFound):
        world.ask(Vote(id=text, verdict="approve", digest="0" * 64), ANNA)


def test_the_whole_story_is_told(world: World) -> None:
    job, approval = asked(world, "May I?", approvers=LISTED)
    assert world.record(job).waiting_for == f"{approval} by local:anna or local:ben of 'May I?'"
    delegate(world, approval, ANNA, CARL, "on holiday")
    vote(world, approval, CARL, comment="fine")
    told = [line.text for line in story(world.store, approval).lines]
    digest = seen(world, approval).digest[:12]
    assert told == [
        f"Its handler asks for {approval} (digest {digest}) of local:anna, local:ben: May I?",
        f"local:anna handed their say in {approval} to local:carl: on holiday.",
        f"local:carl voted approve on {approval} (digest {digest}): fine. Approved by local:carl: 1 of 1 approvals.",
    ]
    assert story(world.store, approval).state == "approved"
    types = world.why(job)
    assert [one for one in types if one.startswith("approval.")] == [
        "approval.asked", "approval.delegated", "approval.voted",
    ]  # fmt: skip
