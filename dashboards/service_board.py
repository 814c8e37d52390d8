"""A dashboard for each service: replicas, messages, what waits, what fails, what it needs."""

from dashboards.expressions import CONSUMERS, JOB, MESSAGES, READY, WINDOW, dead, increase, quantile, queue, rate
from dashboards.own_rows import OWN_ROWS
from dashboards.panels import Board, Panel, Query, Row, number


def service_board(service: str) -> Board:
    """Return the dashboard of a service."""
    return Board(
        name=service,
        title=f"alma-restore: {service}",
        meaning=f"How the {service} does: replicas, messages, what waits, what fails, what it needs.",
        rows=(_state(service), *OWN_ROWS.get(service, ()), _messages(service), _needs(service)),
    )


def _state(service: str) -> Row:
    own, letters = queue(service), dead(service)
    return Row(
        title="Now",
        panels=(
            number("Up", "Replicas that Prometheus reaches.", f'sum(up{{job="{JOB}",service="{service}"}})'),
            number("Ready", "Replicas that can take work.", f'sum(alma_restore_ready{{service="{service}"}})'),
            number("Busy", "Messages at work.", f'sum(alma_restore_handlers_busy{{service="{service}"}})'),
            number("Waiting", "Messages that nobody works on yet.", f'sum({READY}{{queue="{own}"}})'),
            number("Consumers", "Processes that take from the queue.", f'sum({CONSUMERS}{{queue="{own}"}})'),
            number("Dead letters", "Messages that wait for a person.", f'sum({MESSAGES}{{queue="{letters}"}})'),
        ),
    )


def _messages(service: str) -> Row:
    def times(histogram: str) -> tuple[Query, ...]:
        return tuple(
            Query(quantile(share, histogram, "topic", service=service), f"{{{{topic}}}} {share}")
            for share in (0.5, 0.95)
        )

    return Row(
        title="Messages",
        panels=(
            Panel(
                title="Handled per second",
                meaning="later: put off, since a dependency is away. failed: an error nobody foresaw.",
                queries=(
                    Query(
                        rate("alma_restore_messages_total", "topic, outcome", service=service), "{{topic}} {{outcome}}"
                    ),
                ),
            ),
            Panel(
                title="Put off and given up in an hour",
                meaning="What was given up lies among the dead letters.",
                queries=(
                    Query(
                        increase("alma_restore_retries_total", "topic", window="1h", service=service),
                        "{{topic}} put off",
                    ),
                    Query(
                        increase("alma_restore_dead_letters_total", "topic, code", window="1h", service=service),
                        "{{topic}} given up: {{code}}",
                    ),
                ),
            ),
            Panel(
                title="Work",
                meaning="Seconds to handle a message: half and 95 of 100 take less.",
                unit="s",
                queries=times("alma_restore_handler_seconds"),
            ),
            Panel(
                title="Waiting",
                meaning="Age of messages when they are taken.",
                unit="s",
                queries=times("alma_restore_queue_seconds"),
            ),
            Panel(
                title="Said in an hour",
                meaning="Answers by topic and reason.",
                queries=(
                    Query(
                        increase("alma_restore_answers_total", "topic, reason", window="1h", service=service),
                        "{{topic}} {{reason}}",
                    ),
                ),
            ),
        ),
    )


def _needs(service: str) -> Row:
    return Row(
        title="Store and process",
        panels=(
            Panel(
                title="Object store",
                meaning="Bytes written and read.",
                unit="Bps",
                queries=(Query(rate("alma_restore_store_bytes_total", "direction", service=service), "{{direction}}"),),
            ),
            Panel(
                title="Object store: seconds and errors",
                meaning="95 of 100 objects take less; errors in five minutes.",
                queries=(
                    Query(
                        quantile(0.95, "alma_restore_store_seconds", "direction", service=service), "{{direction}}, s"
                    ),
                    Query(
                        increase("alma_restore_store_errors_total", "direction", window=WINDOW, service=service),
                        "{{direction}}, errors",
                    ),
                ),
            ),
            Panel(
                title="Memory",
                meaning="Resident memory of each process.",
                unit="bytes",
                queries=(Query(f'process_resident_memory_bytes{{job="{JOB}",service="{service}"}}', "{{instance}}"),),
            ),
            Panel(
                title="Processor",
                meaning="Cores that each process uses.",
                queries=(
                    Query(
                        f'rate(process_cpu_seconds_total{{job="{JOB}",service="{service}"}}[{WINDOW}])', "{{instance}}"
                    ),
                ),
            ),
        ),
    )
