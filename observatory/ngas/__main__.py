"""Run the small NGAS server as a process of its own; its port is the first line on stdout."""

import argparse
import os
import signal
from pathlib import Path
from threading import Thread

from observatory.ngas.server import NgasServer


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m observatory.ngas", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the archive's directory")
    parser.add_argument("--port", type=int, default=0, help="port on the loopback interface (default: a free one)")
    parser.add_argument("--max-requests", type=int, default=100, help="MaxSimReqs: more get a bare 503")
    parser.add_argument(
        "--processes", type=int, default=1, help="processes that serve side by side; MaxSimReqs is that of each"
    )
    arguments = parser.parse_args()
    server = NgasServer(arguments.root, port=arguments.port, max_requests=arguments.max_requests)
    print(server.port, flush=True)
    serve(server, helpers=arguments.processes - 1)


def serve(server: NgasServer, *, helpers: int) -> None:
    """Serve in this process, and in so many others that share its socket and end with it."""
    others: list[int] = []
    for _ in range(helpers):
        if (other := os.fork()) == 0:
            others.clear()
            break
        others.append(other)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: Thread(target=server.stop).start())
    server.serve()
    for other in others:
        os.kill(other, signal.SIGTERM)
        os.waitpid(other, 0)


if __name__ == "__main__":
    main()
