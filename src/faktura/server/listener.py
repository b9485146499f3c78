"""Where a server listens."""

from __future__ import annotations

import socket

from faktura.domain.errors import SettingError


def listen_at(host: str, port: int, *, setting: str | None = None) -> socket.socket:
    """A socket that has the address, and accepts nothing yet. SettingError where it cannot be had, which names the setting that asked for it."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        message = f"{setting}: cannot listen on {host}:{port}: {error}" if setting else f"cannot listen on {host}:{port}: {error}"
        raise SettingError(message) from error
    return listener


def port_of(listener: socket.socket) -> int:
    """The port, where 0 asked for any."""
    return int(listener.getsockname()[1])
