"""Notices leave over TLS, to who can prove who they are, and by the services that Apprise knows."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing, nullcontext
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from sheratan.contracts.errors import DependencyUnavailable, InvalidInput
from tests.engine.alerted import turns_until
from tests.unit.test_targets import MAIL, NOTICE, Refusing, Serve, listening, read_request, run, targets

PASSWORD = "correct-horse"

pytestmark = [
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning:apprise"),
    # The server's: one that listens with TLS does not know that it does.
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),
]


class Postbox:
    """Takes mails of who knows the password."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.logins: list[tuple[bool, bytes, bytes]] = []
        """Who has logged in: whether over TLS, the name and the password."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"

    def log_in(self, server: Any, session: Session, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append((session.ssl is not None, given.login, given.password))
        return AuthResult(success=given.password == PASSWORD.encode(), handled=False)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA) -> ssl.SSLContext:
    """A server's, in the name of this machine."""
    return server_context(authority, "127.0.0.1")


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operating system knows who has signed the certificate."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def close(server: asyncio.Server) -> None:
    """Wait until nobody is connected any more, which Python does by itself from 3.12 on only."""
    server.close()
    await turns_until(lambda: not getattr(server, "_active_count", 0))
    await server.wait_closed()


@asynccontextmanager
async def mail_server(make: Callable[[], SMTP], context: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """A server until the block ends; then whoever is still connected is hung up on."""
    connections: list[SMTP] = []

    def connect() -> SMTP:
        connections.append(make())
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        for one in connections:
            if isinstance(one.transport, asyncio.Transport):
                one.transport.abort()
        await close(server)


def mailed(box: Postbox, context: ssl.SSLContext, *, starttls: bool, password: str = PASSWORD) -> None:
    """Send the notice to a server that wants TLS and a password."""

    def make() -> SMTP:
        return SMTP(
            box,
            hostname="mail",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=box.log_in,
            auth_required=True,
            # A server that listens with TLS does not see it as what STARTTLS makes.
            auth_require_tls=starttls,
        )

    async def scenario() -> None:
        async with mail_server(make, None if starttls else context) as port:
            url = f"{'smtp' if starttls else 'smtps'}://127.0.0.1:{port}"
            given = {**MAIL, "starttls": True, "url": url, "secret_env": "WORD", "user": "ops"}
            with closing(targets({"WORD": password}, **given)) as sender:
                await sender.send("ops", NOTICE, nullcontext)

    run(scenario)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("starttls", [True, False])
def test_a_mail_and_its_password_go_over_tls(certificate: ssl.SSLContext, *, starttls: bool) -> None:
    box = Postbox()
    mailed(box, certificate, starttls=starttls)
    [mail] = box.mails
    assert mail["Subject"] == "[sheratan critical] queue_age/queue:mail"
    [(is_safe, name, password)] = box.logins
    assert (is_safe or not starttls, name, password) == (True, b"ops", PASSWORD.encode())


@pytest.mark.parametrize("starttls", [True, False])
def test_a_mail_server_that_nobody_vouches_for_is_told_nothing(
    certificate: ssl.SSLContext, *, starttls: bool
) -> None:
    box = Postbox()
    with pytest.raises(OSError, match="certificate verify failed"):
        mailed(box, certificate, starttls=starttls)
    assert (box.mails, box.logins) == ([], [])


@pytest.mark.usefixtures("trusted")
def test_a_mail_server_by_another_name_is_told_nothing(authority: trustme.CA) -> None:
    box = Postbox()
    with pytest.raises(OSError, match="IP address mismatch"):
        mailed(box, server_context(authority, "mail.example.org"), starttls=True)
    assert (box.mails, box.logins) == ([], [])


@pytest.mark.usefixtures("trusted")
def test_a_password_that_is_refused_is_not_repeated(certificate: ssl.SSLContext) -> None:
    box = Postbox()
    with pytest.raises(OSError, match=r"^the mail server answered 535$"):
        mailed(box, certificate, starttls=True, password="wrong-horse")
    assert box.mails == []


# ---------------------------------------------------------------------------------------------------------------------
# Webhooks


@asynccontextmanager
async def web_server(serve: Serve, context: ssl.SSLContext) -> AsyncGenerator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        await close(server)


def posted(context: ssl.SSLContext) -> list[bytes]:
    """Send the notice to a server that speaks TLS; what it got."""
    found: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append((await read_request(reader))[2])
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        async with web_server(serve, context) as port:
            with closing(targets(url=f"https://127.0.0.1:{port}/hook")) as sender:
                await sender.send("ops", NOTICE, nullcontext)

    run(scenario)
    return found


@pytest.mark.usefixtures("trusted")
def test_a_webhook_is_told_over_tls(certificate: ssl.SSLContext) -> None:
    [body] = posted(certificate)
    assert json.loads(body)["subject"] == NOTICE.subject


def test_a_webhook_that_nobody_vouches_for_is_told_nothing(certificate: ssl.SSLContext) -> None:
    with pytest.raises(OSError, match="certificate verify failed"):
        posted(certificate)


# ---------------------------------------------------------------------------------------------------------------------
# Apprise


def told_by_apprise(status: bytes) -> list[dict[str, Any]]:
    """Send the notice by the service of Apprise that posts JSON to whoever answers so; what that got."""
    found: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append(json.loads((await read_request(reader))[2]))
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        async with listening(serve) as port:
            url = f"json://ops:s3cret@127.0.0.1:{port}/hook"
            with closing(targets({"PLACE": url}, url_env="PLACE")) as sender:
                assert sender.kind_of("ops") == "apprise"
                await sender.send("ops", NOTICE, nullcontext)

    run(scenario)
    return found


def test_a_service_of_apprise_is_told() -> None:
    [told] = told_by_apprise(b"200 OK")
    assert told["title"] == "[sheratan critical] queue_age/queue:mail"
    assert NOTICE.text in told["message"]


def test_a_service_of_apprise_that_does_not_take_it_is_an_error() -> None:
    with pytest.raises(OSError, match=r"^the service did not take it$"):
        told_by_apprise(b"500 Oops")


def test_a_url_that_apprise_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Apprise does not know such a URL") as caught:
        targets({"PLACE": "unknown://s3cret"}, url_env="PLACE")
    assert "s3cret" not in str(caught.value)


def test_no_service_of_apprise_is_called_without_its_guard() -> None:
    reached: list[bool] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(True)
        writer.close()

    async def scenario() -> None:
        async with listening(serve) as port:
            with (
                closing(targets({"PLACE": f"json://127.0.0.1:{port}"}, url_env="PLACE")) as sender,
                pytest.raises(DependencyUnavailable, match="not now"),
            ):
                await sender.send("ops", NOTICE, Refusing)

    run(scenario)
    assert reached == []
