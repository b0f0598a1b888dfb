"""What people set for a queue or a kind: its pause, and the limits of what it starts."""

from __future__ import annotations

from sheratan.contracts import api
from sheratan.engine.commands import LimitStarts, Pause, Resume

__all__ = ["FlowRequest", "flow_command"]

FlowRequest = (
    api.PauseQueue | api.ResumeQueue | api.LimitQueue | api.PauseKind | api.ResumeKind | api.LimitKind
)


def flow_command(request: FlowRequest) -> Pause | Resume | LimitStarts:
    """The command for a queue, or the same one for a kind."""
    match request:
        case api.PauseQueue(queue=queue, reason=reason):
            return Pause(subject=f"queue:{queue}", reason=reason)
        case api.PauseKind(kind=kind, reason=reason):
            return Pause(subject=f"kind:{kind}", reason=reason)
        case api.ResumeQueue(queue=queue):
            return Resume(subject=f"queue:{queue}")
        case api.ResumeKind(kind=kind):
            return Resume(subject=f"kind:{kind}")
        case api.LimitQueue(queue=queue, limits=limits, reason=reason):
            return LimitStarts(subject=f"queue:{queue}", limits=limits, reason=reason)
        case api.LimitKind(kind=kind, limits=limits, reason=reason):
            return LimitStarts(subject=f"kind:{kind}", limits=limits, reason=reason)
