"""Structured logs: events with bound context, as JSON or for people."""

import logging
import sys
from typing import Literal, TextIO

import structlog

from shared import tracing

LogFormat = Literal["json", "text"]


def configure_logs(*, form: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Set up logging of this process; ours and that of libraries take the same way.

    Parameters
    ----------
    form
        ``json``: one object a line; ``text``: for people.
    level
        Lowest level that is shown, e.g. ``INFO``.
    stream
        Where to; standard error if None.
    """
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_span,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # the bus says what follows from each; pika's own are noise
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # `ledger_migrated` says what was done


def _with_span(_logger: object, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Name the span that an entry was written in, where spans are recorded."""
    entry.update(tracing.ids())
    return entry
