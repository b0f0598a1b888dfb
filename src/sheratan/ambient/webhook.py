"""Webhooks out, signed as Standard Webhooks says (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from sheratan.ambient.clock import Clock
from sheratan.ambient.http import Stream, ask, connect, in_words
from sheratan.ambient.sending import Guarding, NoSuchTarget, NotTaken, Send
from sheratan.contracts.alerts import Notice
from sheratan.contracts.health import Address, address_of

__all__ = ["make_webhook"]

_KEY_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)
_GONE: Final = 410


def make_webhook(url: str, secret: str, clock: Clock, threads: ThreadPoolExecutor) -> Send:
    """How the webhook at a URL is told, unsigned without a secret; ValueError where that is no secret of a webhook."""
    key, address = _key(secret) if secret else None, address_of(url)

    async def send(notice: Notice, guard: Guarding) -> None:
        body, at = msgspec.json.encode(notice), str(clock.now_us() // 1_000_000)
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "webhook-id": notice.id,
            "webhook-timestamp": at,
        }
        if key is not None:
            signed = hmac.digest(key, f"{notice.id}.{at}.".encode() + body, hashlib.sha256)
            headers["webhook-signature"] = "v1," + base64.b64encode(signed).decode()
        async with guard():
            _check(await _post(await connect(address, threads), address, headers, body))

    return send


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_KEY_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_KEY_PREFIX) or len(key) not in _KEY_BYTES:
        raise ValueError("the secret of a webhook is whsec_ and 24 to 64 bytes in base64")
    return key


async def _post(stream: Stream, address: Address, headers: dict[str, str], body: bytes) -> int:
    try:
        return await ask(stream, address, "POST", headers, body)
    except OSError as error:
        raise in_words(error) from None
    finally:
        stream[1].transport.abort()


def _check(status: int) -> None:
    """Any status from 200 to 299 will do; a redirection is not followed."""
    if status == _GONE:
        raise NoSuchTarget(status)
    if status // 100 != 2:
        raise NotTaken(status)
