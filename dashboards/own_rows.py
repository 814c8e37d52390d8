"""What a service's dashboard shows that no other has."""

from dashboards.expressions import increase, quantile, rate, told
from dashboards.panels import Panel, Query, Row

_BLOCKS_BY_END = 'max by (state) (delta(alma_restore_ledger_blocks{state=~"restored|failed"}[6h]))'
_DECISIONS = "request.accepted|request.refused|release.granted|release.withheld"


def _decisions() -> Row:
    counted = increase("alma_restore_answers_total", "topic, reason", window="1h", topic=f"=~{_DECISIONS}")
    return Row(
        title="Decisions",
        panels=(
            Panel(
                title="Decisions in an hour",
                meaning="Accepted, refused, released, withheld, with the reason.",
                queries=(Query(counted, "{{topic}} {{reason}}"),),
            ),
        ),
    )


def _fetching() -> Row:
    return Row(
        title="NGAS",
        panels=(
            Panel(
                title="Bytes from each server",
                meaning="What servers send.",
                unit="Bps",
                queries=(Query(rate("alma_restore_ngas_bytes_total", "host"), "{{host}}"),),
            ),
            Panel(
                title="Seconds per file",
                meaning="95 of 100 files take less, with all tries.",
                unit="s",
                queries=(Query(quantile(0.95, "alma_restore_ngas_file_seconds", "host"), "{{host}}"),),
            ),
            Panel(
                title="Files by outcome in an hour",
                meaning="Whatever is not fetched names what went wrong.",
                queries=(
                    Query(
                        increase("alma_restore_ngas_files_total", "host, outcome", window="1h"), "{{host}} {{outcome}}"
                    ),
                ),
            ),
            Panel(
                title="Broken transfers in an hour",
                meaning="Transfers that broke and were resumed or begun again.",
                queries=(Query(increase("alma_restore_ngas_retries_total", "host", window="1h"), "{{host}}"),),
            ),
        ),
    )


def _restoring() -> Row:
    share = "1 - alma_restore_casa_scratch_free_bytes / alma_restore_casa_scratch_size_bytes"
    return Row(
        title="CASA",
        panels=(
            Panel(
                title="Restores by outcome in six hours",
                meaning="restored, reused, cancelled, or the reason of a failure.",
                queries=(Query(increase("alma_restore_casa_restores_total", "outcome", window="6h"), "{{outcome}}"),),
            ),
            Panel(
                title="Blocks by end in six hours",
                meaning="By the ledger, which knows of each; Prometheus sees little of runners that end after one.",
                queries=(Query(_BLOCKS_BY_END, "{{state}}"),),
            ),
            Panel(
                title="Restores by way and CASA version in six hours",
                meaning="Which CASA does the work, and how.",
                queries=(
                    Query(
                        increase("alma_restore_casa_restores_total", "method, casa", window="6h", outcome="restored"),
                        "{{method}} {{casa}}",
                    ),
                ),
            ),
            Panel(
                title="Seconds of CASA",
                meaning="Half and 95 of 100 restores take less.",
                unit="s",
                queries=tuple(
                    Query(quantile(part, "alma_restore_casa_seconds", "method", window="6h"), f"{{{{method}}}} {part}")
                    for part in (0.5, 0.95)
                ),
            ),
            Panel(
                title="Why not in a single pass, in six hours",
                meaning="Rules by which another way was taken.",
                queries=(Query(increase("alma_restore_casa_reference_rules_total", "rule", window="6h"), "{{rule}}"),),
            ),
            Panel(
                title="Scratch used",
                meaning="Share of the file system that CASA works on.",
                unit="percentunit",
                queries=(Query(share, "{{instance}}"),),
            ),
            Panel(
                title="Bytes of restored data",
                meaning="Tars that were stored.",
                unit="Bps",
                queries=(Query("sum(rate(alma_restore_casa_delivered_bytes_total[30m]))", "tars"),),
            ),
        ),
    )


def _mails() -> Row:
    return Row(
        title="Mails",
        panels=(
            Panel(
                title="Recipients in an hour",
                meaning="By what the mail tells and what became of it.",
                queries=(
                    Query(increase("alma_restore_mails_total", "kind, outcome", window="1h"), "{{kind}} {{outcome}}"),
                ),
            ),
        ),
    )


def _ledger() -> Row:
    return Row(
        title="Ledger",
        panels=(
            Panel(
                title="Requests by state",
                meaning="Where requests are.",
                queries=(Query(told("alma_restore_ledger_requests", "state"), "{{state}}"),),
            ),
            Panel(
                title="Events the ledger could not use",
                meaning="unreadable: kept aside. missed: gone from the journal. illegal: contradict what is known.",
                queries=(
                    Query("max(alma_restore_ledger_unreadable_events)", "unreadable"),
                    Query("max(alma_restore_ledger_missed_events)", "missed"),
                    Query("max(alma_restore_ledger_illegal_moves)", "illegal"),
                ),
            ),
        ),
    )


def _triggers() -> Row:
    return Row(
        title="Trigger files",
        panels=(
            Panel(
                title="Trigger files in an hour",
                meaning="submitted: became a request. rejected: moved aside, and nobody is mailed.",
                queries=(Query(increase("alma_restore_triggers_total", "outcome", window="1h"), "{{outcome}}"),),
            ),
            Panel(
                title="Trigger files that stay where they lie",
                meaning="not_allowed: the desk's user may not move them. fault: an error nobody foresaw.",
                queries=(Query(told("alma_restore_triggers_stuck", "cause"), "{{cause}}"),),
            ),
        ),
    )


OWN_ROWS: dict[str, tuple[Row, ...]] = {
    "request-desk": (_ledger(), _triggers()),
    "entitlement-checker": (_decisions(),),
    "ngas-fetcher": (_fetching(),),
    "casa-runner": (_restoring(),),
    "notifier": (_mails(),),
}
"""Rows by service."""
