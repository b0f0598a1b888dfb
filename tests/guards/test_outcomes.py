"""What an exception says about the dependency: only its own faults count against it."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import urllib.error
from email.message import Message

import pytest

from sheratan import Fatal, RateLimited, Retryable
from sheratan.contracts.errors import DependencyUnavailable, TimedOut
from sheratan.contracts.guards import Outcome
from sheratan.guards.outcomes import outcome_of
from sheratan.sdk.guarding import outcome_for


class Answered(Exception):
    """As clients raise it that keep the response."""

    def __init__(self, status: object, *, name: str = "status_code", on_response: bool = False) -> None:
        holder = type("Response", (), {name: status})()
        if on_response:
            self.response = holder
        else:
            setattr(self, name, status)


class TransportError(Exception):
    """Named as the one of a common client."""


TransportError.__module__ = "httpx"


class ReadTimeout(TransportError):
    """One of its kinds."""


def http_error(status: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("https://api", status, "", Message(), None)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "succeeded"),
        (ConnectionRefusedError(), "failed"),
        (TimeoutError(), "failed"),
        (socket.gaierror(-2, "Name or service not known"), "failed"),
        (ssl.SSLError(), "failed"),
        (urllib.error.URLError("no route"), "failed"),
        (http.client.RemoteDisconnected("gone"), "failed"),
        (http.client.BadStatusLine("x"), "failed"),
        (asyncio.IncompleteReadError(b"", 4), "failed"),
        (ReadTimeout(), "failed"),
        (http_error(500), "failed"),
        (http_error(404), "declined"),
        (http_error(429), "declined"),
        (Answered(503), "failed"),
        (Answered(503, on_response=True), "failed"),
        (Answered(401, name="status"), "declined"),
        (Answered(422, name="code", on_response=True), "declined"),
        (Answered("503"), "abandoned"),
        (Answered(7), "abandoned"),
        (Answered(True), "abandoned"),
        (FileNotFoundError(), "abandoned"),
        (PermissionError(), "abandoned"),
        (ValueError(), "abandoned"),
        (KeyError(), "abandoned"),
        (asyncio.CancelledError(), "abandoned"),
        (GeneratorExit(), "abandoned"),
        (SystemExit(500), "abandoned"),
        (TimedOut("another dependency has not answered"), "abandoned"),
        (DependencyUnavailable("another dependency is not called"), "abandoned"),
    ],
)
def test_an_exception_says_how_the_call_has_ended(error: BaseException | None, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome
    assert outcome_for(None, error) == outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Retryable("HTTP 503"), "failed"),
        (RateLimited("slowly", retry_after_seconds=3), "declined"),
        (Fatal("no such customer"), "declined"),
    ],
)
def test_what_a_handler_raises_itself_says_it_in_its_own_words(error: Exception, outcome: Outcome) -> None:
    assert outcome_for(None, error) == outcome


def test_who_knows_the_client_better_decides() -> None:
    def is_fault(error: Exception) -> bool:
        return isinstance(error, KeyError)

    assert outcome_for(is_fault, KeyError()) == "failed"
    assert outcome_for(is_fault, ConnectionResetError()) == "declined"
    assert outcome_for(is_fault, ValueError()) == "abandoned"
    assert outcome_for(is_fault, None) == "succeeded"
    assert outcome_for(is_fault, asyncio.CancelledError()) == "abandoned"
