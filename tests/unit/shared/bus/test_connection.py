"""What a connection gives to the socket at once."""

from typing import Any

import pytest

from shared.bus.connection import AT_ONCE, TogetherConnection


class Unconnected(TogetherConnection):
    """A connection whose socket is a list."""

    def __init__(self) -> None:
        self._together = None
        self.written: list[bytes] = []
        self._transport: Any = self

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def emit(self, *frames: bytes) -> None:
        for frame in frames:
            self._adapter_emit_data(frame)


def test_frames_that_are_sent_together_reach_the_socket_at_once_and_in_order() -> None:
    connection = Unconnected()
    with connection.together():
        connection.emit(b"method", b"header", b"body")
        assert connection.written == []
    connection.emit(b"heartbeat")
    assert connection.written == [b"methodheaderbody", b"heartbeat"]


def test_what_is_sent_together_goes_in_pieces_of_bounded_size() -> None:
    connection = Unconnected()
    frame = bytes(AT_ONCE // 2 + 1)
    with connection.together():
        connection.emit(frame, frame, frame)
    assert [len(piece) for piece in connection.written] == [2 * len(frame), len(frame)]


def test_what_was_published_before_an_error_is_sent_and_nothing_is_held_back_afterwards() -> None:
    connection = Unconnected()
    with pytest.raises(TypeError), connection.together():
        connection.emit(b"first", "no bytes")  # type: ignore[arg-type]  # what a caller may do wrong
    connection.emit(b"second")
    assert connection.written == [b"first", b"second"]


def test_sending_nothing_together_writes_nothing() -> None:
    connection = Unconnected()
    with connection.together():
        pass
    assert connection.written == []
