"""A listener that lets the real Oracle driver in and answers its login with an error of the database.

It speaks as much of the database's protocol as a login that fails needs: it
accepts the connection, reads the login, and sends one error message. The layout
is that which the driver python-oracledb reads (``messages/connect.pyx``,
``messages/base.pyx``).
"""

import socket
import struct
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from tests.support.ports import free_ports

_ACCEPT, _REFUSE, _DATA = 2, 4, 6
_VERSION = 318
_FAST_LOGIN = 0x10000000
"""The login comes with the first message, so that there is no negotiation to answer."""
_ERROR = 4
_BEFORE_NUMBER, _AFTER_NUMBER = 28, 3


class OracleListener:
    """Listens on loopback and answers every login with the same error; counts the logins.

    Parameters
    ----------
    code
        Number of the error, e.g. 1017.
    text
        What the database says, e.g. ``invalid username/password; logon denied``.
    refuse
        Whether the listener itself refuses, as it does for a service that it does not know.
    """

    def __init__(self, code: int, text: str, *, refuse: bool = False) -> None:
        self._code = code
        self._text = f"ORA-{code:05d}: {text}"
        self._refuse = refuse
        self._lock = Lock()
        self.port = free_ports(1)[0]
        self.logins = 0

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", self.port))
        Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            client.recv(1 << 16)
            with self._lock:
                self.logins += 1
            if self._refuse:
                client.sendall(_refusal(self._code))
                return
            client.sendall(_acceptance())
            client.recv(1 << 16)
            client.sendall(_error(self._code, self._text))
            client.recv(1 << 16)


def _packet(kind: int, body: bytes, *, long: bool = False) -> bytes:
    length = 8 + len(body)
    return struct.pack(">IBBH" if long else ">HxxBBH", length, kind, 0, 0) + body


def _acceptance() -> bytes:
    return _packet(_ACCEPT, struct.pack(">HH10xB9xI5xI", _VERSION, 0, 0, 8192, _FAST_LOGIN))


def _refusal(code: int) -> bytes:
    text = f"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR={code})(ERROR_STACK=(ERROR=(CODE={code}))))".encode()
    return _packet(_REFUSE, struct.pack(">BBH", 0, 0, len(text)) + text)


def _error(code: int, text: str) -> bytes:
    number = struct.pack(">BH", 2, code)
    said = text.encode()
    message = bytes([_ERROR]) + bytes(_BEFORE_NUMBER) + number + bytes(_AFTER_NUMBER) + bytes([len(said)]) + said
    return _packet(_DATA, b"\x00\x00" + message, long=True)
