"""The dashboard of the whole flow: whether users get their data, and if not, where it stops."""

from dashboards.expressions import (
    ANY_DEAD,
    ANY_QUEUE,
    JOB,
    MESSAGES,
    READY,
    UNACKED,
    increase,
    quantile,
    rate,
    told,
    total,
)
from dashboards.panels import Board, Panel, Query, Row, number


def flow_board() -> Board:
    """Return the dashboard."""
    return Board(
        name="flow",
        title="alma-restore: from request to delivery",
        meaning="Whether users get their data: how many ask, where requests are, what waits and what fails.",
        rows=(_now(), _way(), _steps(), _waiting(), _ends(), _parts()),
    )


def _now() -> Row:
    active = told("alma_restore_ledger_requests", "state", state="=~submitted|accepted|resolved|ready|released")
    return Row(
        title="Now",
        panels=(
            number("Requests under way", "Requests that have not ended.", f"sum({active})"),
            number("Oldest request", "Age of the oldest request that has not ended.", _OLDEST, unit="s"),
            number("Stuck", "Requests for which a step takes longer than it may.", _STUCK),
            number("Dead letters", "Messages that wait for a person.", f'sum({MESSAGES}{{queue=~"{ANY_DEAD}"}})'),
            number("Processes up", "Processes that Prometheus reaches.", f'sum(up{{job="{JOB}"}})'),
            number("Broker", "1 if Prometheus reaches RabbitMQ.", 'min(up{job="rabbitmq"})'),
        ),
    )


_OLDEST = "max(alma_restore_ledger_oldest_seconds)"
_STUCK = f"sum({told('alma_restore_ledger_stuck_requests', 'step')})"


def _way() -> Row:
    asked = increase("alma_restore_messages_total", "topic", window="1h", topic="request.submitted", outcome="done")
    ends = increase(
        "alma_restore_answers_total",
        "topic",
        window="1h",
        topic="=~request.refused|request.failed|release.withheld|delivery.announced",
    )
    return Row(
        title="Requests",
        panels=(
            Panel(
                title="Asked and ended in an hour",
                meaning="Requests that were decided on, and how requests ended.",
                queries=(Query(asked, "{{topic}}"), Query(ends, "{{topic}}")),
            ),
            Panel(
                title="From request to delivery",
                meaning="Half and 95 of 100 of the requests delivered in the last day took no longer.",
                unit="s",
                queries=(Query(told("alma_restore_ledger_delivery_seconds", "share"), "{{share}}"),),
            ),
            Panel(
                title="Requests by state",
                meaning="Where requests are.",
                queries=(Query(told("alma_restore_ledger_requests", "state"), "{{state}}"),),
            ),
            Panel(
                title="Oldest request by state",
                meaning="A line that only rises is a request that nobody works on.",
                unit="s",
                queries=(Query(told("alma_restore_ledger_oldest_seconds", "state"), "{{state}}"),),
            ),
            Panel(
                title="Execution blocks by state",
                meaning="Where execution blocks are.",
                queries=(Query(told("alma_restore_ledger_blocks", "state"), "{{state}}"),),
            ),
        ),
    )


def _steps() -> Row:
    return Row(
        title="Time per step",
        panels=(
            Panel(
                title="Work, 95 %",
                meaning="Seconds that a service works on a message: 95 of 100 take less.",
                unit="s",
                queries=(Query(quantile(0.95, "alma_restore_handler_seconds", "service"), "{{service}}"),),
            ),
            Panel(
                title="Waiting in the queue, 95 %",
                meaning="Age of messages when a service takes them. Long for one service: it needs more replicas.",
                unit="s",
                queries=(Query(quantile(0.95, "alma_restore_queue_seconds", "service"), "{{service}}"),),
            ),
            Panel(
                title="Requests by the step that goes on",
                meaning="Where the time goes at the moment.",
                queries=(
                    Query(told("alma_restore_ledger_steps", "step"), "{{step}}"),
                    Query(told("alma_restore_ledger_stuck_requests", "step"), "{{step}} beyond its limit"),
                ),
            ),
            Panel(
                title="CASA, 50 % and 95 %",
                meaning="Seconds that CASA works on a restore, by way.",
                unit="s",
                queries=tuple(
                    Query(
                        quantile(share, "alma_restore_casa_seconds", "method", window="6h"), f"{{{{method}}}} {share}"
                    )
                    for share in (0.5, 0.95)
                ),
            ),
        ),
    )


def _waiting() -> Row:
    return Row(
        title="Backlog",
        panels=(
            Panel(
                title="Waiting messages",
                meaning="Messages in the queues that nobody works on yet.",
                queries=(Query(total(READY, "queue", queue=f"=~{ANY_QUEUE}"), "{{queue}}"),),
            ),
            Panel(
                title="Age of the oldest that waits",
                meaning="By the ledger. A line that only rises: nothing is taken from that queue, or it is put off.",
                unit="s",
                queries=(Query(told("alma_restore_ledger_waiting_seconds", "queue"), "{{queue}}"),),
            ),
            Panel(
                title="Messages at work",
                meaning="Messages that a process holds.",
                queries=(Query(total(UNACKED, "queue", queue=f"=~{ANY_QUEUE}"), "{{queue}}"),),
            ),
        ),
    )


def _ends() -> Row:
    return Row(
        title="Errors",
        panels=(
            Panel(
                title="Messages that failed or have to wait",
                meaning="later: a dependency is away. failed: an error nobody foresaw.",
                queries=(
                    Query(
                        rate("alma_restore_messages_total", "service, outcome", outcome="!=done"),
                        "{{service}} {{outcome}}",
                    ),
                ),
            ),
            Panel(
                title="Dead letters",
                meaning="Messages that a person has to look at.",
                queries=(Query(total(MESSAGES, "queue", queue=f"=~{ANY_DEAD}"), "{{queue}}"),),
            ),
            Panel(
                title="Reasons in six hours",
                meaning="Why requests were refused, withheld or failed.",
                queries=(
                    Query(
                        increase("alma_restore_answers_total", "topic, reason", window="6h", reason="!=none"),
                        "{{topic}} {{reason}}",
                    ),
                ),
            ),
            Panel(
                title="Mails by outcome in an hour",
                meaning="Recipients that were written to; refused ones will never be taken.",
                queries=(Query(increase("alma_restore_mails_total", "outcome", window="1h"), "{{outcome}}"),),
            ),
        ),
    )


def _parts() -> Row:
    return Row(
        title="Parts",
        panels=(
            Panel(
                title="Processes that are ready",
                meaning="Replicas that can take work.",
                queries=(Query(total("alma_restore_ready", "service"), "{{service}}"),),
            ),
            Panel(
                title="Data moved",
                meaning="Bytes that came from NGAS, and that went into the object store and out of it.",
                unit="Bps",
                queries=(
                    Query("sum(rate(alma_restore_ngas_bytes_total[5m]))", "from NGAS"),
                    Query(rate("alma_restore_store_bytes_total", "direction"), "{{direction}}"),
                ),
            ),
        ),
    )
