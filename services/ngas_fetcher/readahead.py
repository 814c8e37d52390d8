"""Read a stream in a thread of its own, so that receiving and storing go on side by side."""

from collections.abc import Callable, Iterator
from contextvars import copy_context
from queue import Queue
from threading import Event, Thread

DEPTH = 4
"""Chunks that wait between reader and taker."""


def read_ahead(chunks: Iterator[bytes], *, abandon: Callable[[], None]) -> Iterator[bytes]:
    """Pass chunks on that another thread reads, in order; its error is raised here, after what it had read.

    Parameters
    ----------
    chunks
        What is read.
    abandon
        Makes ``chunks`` end soon; called when nobody takes them any more.
    """
    waiting: Queue[bytes | None] = Queue(maxsize=DEPTH)
    abandoned, failures = Event(), list[BaseException]()

    def read() -> None:
        try:
            for chunk in chunks:
                waiting.put(chunk)
                if abandoned.is_set():
                    return
        except BaseException as error:  # whatever it is, it is raised where the chunks are taken
            failures.append(error)
        finally:
            waiting.put(None)

    reader = Thread(target=copy_context().run, args=(read,), name="read-ahead", daemon=True)
    reader.start()
    ended = False
    try:
        while (chunk := waiting.get()) is not None:
            yield chunk
        ended = True
    finally:
        if not ended:
            abandoned.set()
            abandon()
            while waiting.get() is not None:
                pass
        reader.join()
    if failures:
        raise failures[0]
