"""What the ngas-fetcher counts; labels name servers and outcomes, never files, blocks or requests."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram

from services.ngas_fetcher.errors import NgasAwayError
from shared.declared import CounterMetric, HistogramMetric, Label, Metric
from shared.errors import RestoreError

_HOST = Label("host", "the server that was asked, with its port")

FILES = CounterMetric(
    name="alma_restore_ngas_files",
    unit="files",
    meaning="Files asked of a server, by outcome",
    labels=(_HOST, Label("outcome", "fetched, or the code of what went wrong")),
)
BYTES = CounterMetric(name="alma_restore_ngas_bytes", unit="bytes", meaning="Bytes that a server sent", labels=(_HOST,))
RETRIES = CounterMetric(
    name="alma_restore_ngas_retries",
    unit="transfers",
    meaning="Transfers that broke and were tried again",
    labels=(_HOST,),
)
SECONDS = HistogramMetric(
    name="alma_restore_ngas_file_seconds",
    unit="seconds",
    meaning="Seconds from the first request for a file until it is stored, with all tries",
    labels=(_HOST,),
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000),
)
METRICS: tuple[Metric, ...] = (FILES, BYTES, RETRIES, SECONDS)


class HostMetrics:
    """What is counted of one server while files come from it.

    Parameters
    ----------
    host
        The server.
    files
        The metric that is counted by outcome, too.
    bytes_, retries, seconds
        The server's own series.
    """

    def __init__(self, host: str, *, files: Counter, bytes_: Counter, retries: Counter, seconds: Histogram) -> None:
        self._host = host
        self._files = files
        self._bytes = bytes_
        self._retries = retries
        self._seconds = seconds

    def came(self, size: int) -> None:
        """Count bytes that came, whether or not they turn out right."""
        self._bytes.inc(size)

    def tried_again(self) -> None:
        """Count a transfer that broke and is resumed or begun again."""
        self._retries.inc()

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """Count a file that comes from this server in this block, and what becomes of it."""
        began, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "fetched"
            self._seconds.observe(time.monotonic() - began)
        except RestoreError as error:
            outcome = error.code
            raise
        finally:
            self._files.labels(self._host, outcome).inc()


class FetchMetrics:
    """Counts transfers by server.

    Parameters
    ----------
    registry
        Where the metrics are declared.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._files = FILES.made(registry)
        self._bytes = BYTES.made(registry)
        self._retries = RETRIES.made(registry)
        self._seconds = SECONDS.made(registry)
        self._hosts = dict[str, HostMetrics]()

    def expect(self, hosts: Iterable[str]) -> None:
        """Begin the series of servers, so that one that never gave anything is shown too."""
        for host in hosts:
            self.of(host)
            for outcome in ("fetched", NgasAwayError.code):
                self._files.labels(host, outcome)

    def of(self, host: str) -> HostMetrics:
        """What is counted of one server."""
        known = self._hosts.get(host)
        if known is None:  # two threads may make it: both count in the same series
            known = self._hosts[host] = HostMetrics(
                host,
                files=self._files,
                bytes_=self._bytes.labels(host),
                retries=self._retries.labels(host),
                seconds=self._seconds.labels(host),
            )
        return known
