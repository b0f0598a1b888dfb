"""Notices leave for real servers on this machine, which answer, refuse, hang and hang up."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, nullcontext
from email import message_from_bytes
from email.message import Message
from typing import Any, Final

import msgspec
import pytest

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.sending import NoSuchTarget, NotTaken
from sheratan.ambient.targets import HostTargets
from sheratan.contracts.alert_targets import TARGETS_MAX, AlertTarget
from sheratan.contracts.alerts import AlertSettings, Notice
from sheratan.contracts.errors import DependencyUnavailable, InvalidInput
from sheratan.guards.outcomes import outcome_of

SECONDS_MAX = 20
KEY: Final = bytes(range(32))
SECRET: Final = "whsec_" + base64.b64encode(KEY).decode()
NOTICE: Final = Notice(
    id="alert_1",
    what="raised",
    subject="alert:queue_age/queue:mail",
    severity="critical",
    text="the job that is next in queue mail has been ready for 900 s",
    since_us=1_700_000_000_000_000,
    rule="queue_age",
    value=900,
    threshold=900,
    affected=["queue:mail"],
    entry=7,
    runbook="docs/runbook/queue-age.md",
    source="/data",
)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def targets(environment: dict[str, str] | None = None, **given: Any) -> HostTargets:
    """One target, `ops`."""
    settings = msgspec.convert({"targets": {"ops": given}}, AlertSettings)
    return HostTargets(settings, environment or {}, VirtualClock())


@asynccontextmanager
async def listening(serve: Serve) -> AsyncGenerator[int]:
    """Serve so until the block ends; then whoever is still connected is hung up on."""
    writers: list[asyncio.StreamWriter] = []
    tasks: list[asyncio.Task[None]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writers.append(writer)
        tasks.append(task)
        await serve(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            for writer in writers:
                writer.transport.abort()
            await asyncio.gather(*tasks, return_exceptions=True)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await scenario()

    asyncio.run(bounded())


# ---------------------------------------------------------------------------------------------------------------------
# Webhooks


async def read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")[:-2]
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return first, headers, await reader.readexactly(int(headers["content-length"]))


def posted(answer: bytes, **given: Any) -> list[tuple[str, dict[str, str], bytes]]:
    """Send the notice to a server that answers so; what it was sent."""
    found: list[tuple[str, dict[str, str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append(await read_request(reader))
        writer.write(answer)
        writer.close()

    async def scenario() -> None:
        async with listening(serve) as port:
            with closing(targets(url=f"http://127.0.0.1:{port}/hook?a=1", **given)) as sender:
                await sender.send("ops", NOTICE, nullcontext)

    run(scenario)
    return found


def test_a_webhook_gets_all_that_is_told() -> None:
    [(first, headers, body)] = posted(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert first == "POST /hook?a=1 HTTP/1.1"
    assert msgspec.json.decode(body, type=Notice) == NOTICE
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "alert_1"
    assert "webhook-signature" not in headers


def test_a_webhook_is_signed_as_the_standard_says() -> None:
    found: list[tuple[str, dict[str, str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        async with listening(serve) as port:
            url = f"http://127.0.0.1:{port}/"
            with closing(targets({"KEY": SECRET}, url=url, secret_env="KEY")) as sender:
                await sender.send("ops", NOTICE, nullcontext)

    run(scenario)
    [(_, headers, body)] = found
    assert headers["webhook-timestamp"] == "1700000000"
    # As a receiver checks it, by the text of the standard.
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 500 Oops\r\n\r\n", "HTTP status 500"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "HTTP status 302"),
        (b"hello\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (b"x" * 100_000, "does not speak HTTP"),
    ],
)
def test_an_answer_that_is_no_success_is_an_error(answer: bytes, error: str) -> None:
    with pytest.raises(OSError, match=error):
        posted(answer)


def test_a_webhook_that_is_gone_says_so() -> None:
    with pytest.raises(NoSuchTarget):
        posted(b"HTTP/1.1 410 Gone\r\n\r\n")


def test_of_a_long_answer_the_status_is_enough() -> None:
    posted(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000)


def test_a_server_that_hangs_up_is_an_error_without_its_address() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def scenario() -> None:
        async with listening(serve) as port:
            with closing(targets(url=f"http://127.0.0.1:{port}/")) as sender:
                with pytest.raises(OSError) as caught:  # noqa: PT011 - what it says depends on when it is noticed
                    await sender.send("ops", NOTICE, nullcontext)
                assert str(port) not in str(caught.value)

    run(scenario)


def test_nobody_who_listens_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    async def scenario() -> None:
        with closing(targets(url=f"http://127.0.0.1:{port}/")) as sender:
            await sender.send("ops", NOTICE, nullcontext)

    with pytest.raises(OSError, match=r"^Connection refused$"):
        run(scenario)


def test_a_server_that_breaks_off_is_told_in_the_words_of_the_system() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        # Closing it now resets the connection.
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def scenario() -> None:
        async with listening(serve) as port:
            with closing(targets(url=f"http://127.0.0.1:{port}/")) as sender:
                await sender.send("ops", NOTICE, nullcontext)

    with pytest.raises(OSError, match=r"^Connection reset by peer$"):
        run(scenario)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that listens until whoever has connected goes."""
    await reader.read()
    writer.close()


def test_a_server_that_says_nothing_can_be_left() -> None:
    async def scenario() -> None:
        async with listening(say_nothing) as port:
            with closing(targets(url=f"http://127.0.0.1:{port}/")) as sender, pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await sender.send("ops", NOTICE, nullcontext)

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Mail


class MailServer:
    """As much of SMTP as smtplib speaks, without TLS; `answers` are what it says in place of its own answers."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        self.commands: list[str] = []
        self.mails: list[Message] = []
        self._answers = answers or {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._say("greeting", "220 mail"))
        while line := await reader.readline():
            command = line.decode().strip()
            word = command.split()[0].upper()
            self.commands.append(command)
            if word == "DATA" and "DATA" not in self._answers:
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(message_from_bytes(text[:-3]))
                writer.write(self._say("text", "250 taken"))
            else:
                writer.write(self._say(word, "250 yes"))
        writer.close()

    def _say(self, word: str, usual: str) -> bytes:
        return (self._answers.get(word, usual) + "\r\n").encode()


MAIL: Final[dict[str, Any]] = {
    "sender": "sheratan@example.org",
    "recipients": ["ops@example.org", "night@example.org"],
    "starttls": False,
}


def mailed(server: MailServer, **given: Any) -> MailServer:
    async def scenario() -> None:
        async with listening(server.serve) as port:
            with closing(targets(url=f"smtp://127.0.0.1:{port}", **MAIL | given)) as sender:
                await sender.send("ops", NOTICE, nullcontext)

    run(scenario)
    return server


def test_a_mail_says_what_is_wrong_and_what_to_do() -> None:
    server = mailed(MailServer())
    [mail] = server.mails
    assert mail["Subject"] == "[sheratan critical] queue_age/queue:mail"
    assert (mail["From"], mail["To"]) == (MAIL["sender"], "ops@example.org, night@example.org")
    assert mail["Message-ID"] == "<alert_1@example.org>"
    text = mail.get_payload()
    assert isinstance(text, str)
    for line in (
        NOTICE.text,
        "Affected: queue:mail",
        "docs/runbook/queue-age.md",
        "sheratan why alert:queue_age",
    ):
        assert line in text
    assert [one for one in server.commands if one.startswith("rcpt")] == [
        "rcpt TO:<ops@example.org>",
        "rcpt TO:<night@example.org>",
    ]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"greeting": "554 go away"}, "answered 554"),
        ({"RCPT": "550 nobody here by the name of s3cret"}, "answered 550"),
        ({"text": "452 full"}, "answered 452"),
        ({"greeting": "hello"}, "the mail server"),
    ],
)
def test_a_mail_that_is_not_taken_is_an_error_in_our_words(answers: dict[str, str], error: str) -> None:
    with pytest.raises(OSError, match=error) as caught:
        mailed(MailServer(answers))
    assert "s3cret" not in str(caught.value)


def test_a_server_without_tls_is_not_told_anything_where_tls_is_wanted() -> None:
    server = MailServer()
    with pytest.raises(OSError, match="does not do what is needed"):
        mailed(server, starttls=True)
    assert server.mails == []


def test_a_mail_server_that_hangs_holds_one_thread_however_often_it_is_tried() -> None:
    async def scenario() -> None:
        async with listening(say_nothing) as port:
            with closing(targets(url=f"smtp://127.0.0.1:{port}", **MAIL)) as sender:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await sender.send("ops", NOTICE, nullcontext)
                for _ in range(3):
                    with pytest.raises(OSError, match="no answer to the last try yet"):
                        await sender.send("ops", NOTICE, nullcontext)

    run(scenario)


# ---------------------------------------------------------------------------------------------------------------------
# Settings and secrets


@pytest.fixture
def no_apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not installed."""
    monkeypatch.setitem(sys.modules, "apprise", None)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "https://a/", "url_env": "A"},
        {"url": "https://user:word@host/"},
        {"url": "smtp://user:word@host:25", "sender": "a@b", "recipients": ["c@d"]},
        {"url": "smtp://host", "sender": "a@b"},
        {"url": "smtp://host", "recipients": ["a@b"]},
        {"url": "smtp://host", "sender": "a@b", "recipients": ["c@d"], "starttls": False, "secret_env": "A"},
        {"url": "tgram://token/chat"},
        {"url": "ftp"},
        {"url_env": "SHERATAN_URL"},
        {"url": "https://a/", "least": "low"},
        {"url": "smtp://host", "sender": "a@b\nBcc: x@y", "recipients": ["c@d"]},
    ],
)
def test_a_target_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, AlertTarget)


def test_no_more_targets_than_may_be_are_declared() -> None:
    def declared(count: int) -> AlertSettings:
        return msgspec.convert(
            {"targets": {f"t{number}": {"url": "https://a/"} for number in range(count)}}, AlertSettings
        )

    assert len(declared(TARGETS_MAX).targets) == TARGETS_MAX
    with pytest.raises(msgspec.ValidationError, match=f"at most {TARGETS_MAX} targets"):
        declared(TARGETS_MAX + 1)


@pytest.mark.parametrize(
    ("environment", "given"),
    [
        ({}, {"url": "https://host/", "secret_env": "KEY"}),
        ({"KEY": "s3cret"}, {"url": "https://host/", "secret_env": "KEY"}),
        ({"KEY": "whsec_s3cret"}, {"url": "https://host/", "secret_env": "KEY"}),
        (
            {"KEY": "whsec_" + base64.b64encode(b"s3cret").decode()},
            {"url": "https://host/", "secret_env": "KEY"},
        ),
        ({}, {"url_env": "PLACE"}),
        ({"PLACE": "s3cret"}, {"url_env": "PLACE"}),
        ({"PLACE": "https://s3cret@host/"}, {"url_env": "PLACE"}),
        ({"PLACE": "smtp://host"}, {"url_env": "PLACE"}),
    ],
)
def test_what_the_environment_lacks_or_has_wrong_is_named_and_not_shown(
    environment: dict[str, str], given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        targets(environment, **given)
    assert "s3cret" not in str(caught.value)
    assert (caught.value.field or "").startswith("alerts.targets.ops")


@pytest.mark.usefixtures("no_apprise")
def test_without_apprise_its_urls_say_what_to_install() -> None:
    with pytest.raises(InvalidInput, match=r"pip install 'sheratan\[alerts\]'"):
        targets({"PLACE": "tgram://s3cret/1"}, url_env="PLACE")


def test_how_a_target_is_told_follows_from_its_url() -> None:
    with closing(targets({"PLACE": "https://host/s3cret"}, url_env="PLACE")) as sender:
        assert sender.kind_of("ops") == "webhook"
        assert "s3cret" not in repr(vars(sender))


class Refusing:
    """A guard that lets no call begin."""

    async def __aenter__(self) -> None:
        raise DependencyUnavailable("not now")

    async def __aexit__(self, *_: object) -> None:
        raise AssertionError("it has begun")


@pytest.mark.parametrize(
    "given",
    [{"url": "http://127.0.0.1:1/"}, {"url": "smtp://127.0.0.1:1", **MAIL}],
)
def test_no_target_is_called_without_its_guard(given: dict[str, Any]) -> None:
    async def scenario() -> None:
        with closing(targets(**given)) as sender, pytest.raises(DependencyUnavailable, match="not now"):
            await sender.send("ops", NOTICE, Refusing)

    run(scenario)


def test_what_a_target_says_of_itself_tells_a_fault_from_an_answer() -> None:
    assert [outcome_of(NotTaken(status)) for status in (404, 429, 503)] == ["declined", "declined", "failed"]
    assert outcome_of(NoSuchTarget(410)) == "declined"
