"""Tell the service manager how it stands (sd_notify(3))."""

from __future__ import annotations

import os
import socket

__all__ = ["notify"]


def notify(state: str) -> None:
    """Send a state to NOTIFY_SOCKET, if a service manager gave one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            # A leading @ stands for the null byte of an abstract address (unix(7)).
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.sendall(state.encode())
        except OSError:
            # A manager that does not listen is no reason to stop serving.
            return
