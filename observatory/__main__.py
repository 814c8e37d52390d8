"""Serve the miniature ALMA by itself: ``python -m observatory --root DIR``, until SIGTERM or SIGINT."""

import argparse
import shutil
import signal
from pathlib import Path
from threading import Event as Flag

from observatory.blocks import BlockProgress
from observatory.miniature import MiniatureAlma
from observatory.ngas.server import NgasServer


def main(arguments: list[str] | None = None) -> None:
    """Make what is missing, then serve raw data over NGAS's protocol and leave the database where others open it."""
    parser = argparse.ArgumentParser(prog="observatory", description="A miniature ALMA for trying out.")
    parser.add_argument(
        "--root", type=Path, required=True, help="where all of it lies; blocks are kept, the rest is made anew"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7777, help="port of the NGAS server; 0 takes a free one")
    parser.add_argument("--name", default=None, help="name by which others reach it; the address if not given")
    parser.add_argument("--workers", type=int, default=2, help="execution blocks that are made at a time")
    options = parser.parse_args(arguments)
    stopping = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    served: Path = options.root
    for part in ("ngas", "products", "locations"):
        shutil.rmtree(served / part, ignore_errors=True)
    (served / "archive.db").unlink(missing_ok=True)
    ngas = NgasServer(served / "ngas", host=options.host, port=options.port, name=options.name)
    alma = MiniatureAlma(root=served, cache=served / "cache", workers=options.workers, on_progress=_say, ngas=ngas)
    with alma:
        print(f"The miniature ALMA serves at {ngas.address}; its database is {alma.database_url}", flush=True)
        stopping.wait()


def _say(progress: BlockProgress) -> None:
    print(f"{progress.spec.eb_uid}: {progress.stage}", flush=True)


if __name__ == "__main__":
    main()
