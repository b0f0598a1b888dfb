"""Notices by any service that Apprise knows: an extra, as it brings ten packages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sheratan.ambient.notice_text import notice_text, notice_title
from sheratan.ambient.sending import Guarding, Send
from sheratan.ambient.turns import Turn
from sheratan.contracts.alerts import Notice

__all__ = ["make_apprise"]


def make_apprise(url: str, threads: ThreadPoolExecutor) -> Send:
    """How the service at a URL is told; ValueError where Apprise is not installed, or does not know the URL."""
    try:
        import apprise  # type: ignore[missing-import]  # noqa: PLC0415 - an extra
    except ImportError:
        raise ValueError("it takes Apprise: pip install 'sheratan[alerts]'") from None
    service = apprise.Apprise()
    if not service.add(url):
        raise ValueError("Apprise does not know such a URL")

    turn = Turn[bool](threads)

    async def send(notice: Notice, guard: Guarding) -> None:
        title, body = notice_title(notice), notice_text(notice)
        async with guard():
            if not await turn.run(lambda: bool(service.notify(title=title, body=body))):
                raise OSError("the service did not take it")

    return send
