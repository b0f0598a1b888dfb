"""Notices by mail."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from sheratan.ambient.notice_text import notice_text, notice_title
from sheratan.ambient.sending import Guarding, Send
from sheratan.ambient.turns import Turn
from sheratan.contracts.alert_targets import AlertTarget
from sheratan.contracts.alerts import Notice

__all__ = ["make_mail"]

_PORTS: Final = {"smtp": 587, "smtps": 465}
_ANSWER_SECONDS_MAX: Final = 10.0
"""How long the server may be silent; how long all of it may take says who sends."""


def make_mail(url: str, password: str, target: AlertTarget, threads: ThreadPoolExecutor) -> Send:
    """How people are told by the mail server at a URL, as the target says."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    turn = Turn[None](threads)

    is_safe = parts.scheme == "smtps"

    def talk(connect: Callable[..., Any], message: EmailMessage) -> None:
        context = ssl.create_default_context()
        options = {"context": context} if is_safe else {}
        server = connect(host, port, timeout=_ANSWER_SECONDS_MAX, **options)
        # Without a farewell: once the message is taken, what the server says to it does not matter.
        try:
            if target.starttls and not is_safe:
                server.starttls(context=context)
            if password:
                server.login(target.user or target.sender, password)
            server.send_message(message)
        finally:
            server.close()

    async def send(notice: Notice, guard: Guarding) -> None:
        message = _message(notice, target)
        async with guard():
            connect = smtplib.SMTP_SSL if is_safe else smtplib.SMTP
            try:
                await turn.run(partial(talk, connect, message))
            except smtplib.SMTPException as error:
                raise OSError(_in_words(error)) from None

    return send


def _in_words(error: smtplib.SMTPException) -> str:
    """What a mail server has refused; not in its own words, which may repeat what it was told."""
    codes: set[int] = set()
    if isinstance(error, smtplib.SMTPResponseException):
        codes.add(error.smtp_code)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes.update(code for code, _ in error.recipients.values())
    if codes:
        return f"the mail server answered {', '.join(map(str, sorted(codes)))}"
    return f"the mail server does not do what is needed ({type(error).__name__})"


def _message(notice: Notice, target: AlertTarget) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = notice_title(notice)
    message["From"] = target.sender
    message["To"] = ", ".join(target.recipients)
    # The same whenever it is sent again, so that a mailbox can tell that it has it.
    message["Message-ID"] = f"<{notice.id}@{target.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice_text(notice))
    return message
