"""Logs are one JSON object a line, or text for people, with bound context in both."""

import io
import json
import logging
from pathlib import Path

import structlog
from structlog.contextvars import bound_contextvars

from services.request_desk.ledger.migrating import migrate
from shared.logs import configure_logs


def test_json_logs_carry_event_level_time_and_context() -> None:
    stream = io.StringIO()
    configure_logs(form="json", level="INFO", stream=stream)
    with bound_contextvars(request_id="r1"):
        structlog.get_logger().info("mail_sent", recipients=2)
        structlog.get_logger().debug("not_shown")
    logging.getLogger("some.library").warning("odd %s", "thing")
    ours, theirs = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (ours["event"], ours["level"], ours["request_id"], ours["recipients"]) == ("mail_sent", "info", "r1", 2)
    assert ours["timestamp"].endswith("Z")
    assert theirs["event"] == "odd thing"


def test_text_logs_are_for_people() -> None:
    stream = io.StringIO()
    configure_logs(form="text", level="INFO", stream=stream)
    structlog.get_logger().info("mail_sent", recipients=2)
    assert "mail_sent" in stream.getvalue()
    assert "recipients=2" in stream.getvalue()


def test_what_the_library_of_migrations_does_inside_is_not_logged(tmp_path: Path) -> None:
    stream = io.StringIO()
    configure_logs(form="json", level="INFO", stream=stream)
    migrate(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert stream.getvalue() == ""


def test_an_exception_is_logged_with_its_traceback_in_one_line() -> None:
    stream = io.StringIO()
    configure_logs(form="json", level="INFO", stream=stream)
    try:
        int("broken")
    except ValueError:
        structlog.get_logger().exception("handler_failed")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]
