"""1,000 users watch 200 live requests at one desk: how long a status read takes, and an event until it is seen.

The desk is one process with its ledger on SQLite. Every user keeps a live view open and reads the
status now and then, over HTTP with a session cookie of the own. Each live request says
something every few seconds, which passes the ledger. The users are another process, and so share the
machine with the desk: on two cores they take about as much of it as the desk does.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from statistics import median, quantiles
from urllib.parse import urlsplit

from pydantic import SecretStr

from services.request_desk.web.identity import Identity, Role
from services.request_desk.web.sessions import Sessions
from tests.benchmarks.desk_server import SECRET, owner
from tests.benchmarks.report import Figure, close

SLOWEST_READ = 100.0
SLOWEST_EVENT = 1000.0


@dataclass
class Seen:
    """What the users have met, in milliseconds."""

    reads: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    measuring: bool = False


@dataclass(frozen=True)
class User:
    """Somebody who watches one request."""

    request: str
    cookie: str


async def watch(address: tuple[str, int], user: User, seen: Seen, opened: asyncio.Semaphore) -> None:
    """Keep a live view open, and note how late each event is."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(_call(user, f"/api/v1/requests/{user.request}/events", "text/event-stream"))
    status = await reader.readline()
    if b" 200 " not in status:
        seen.faults.append(status.decode())
        return
    opened.release()
    try:
        while line := await reader.readline():
            at = line.find(b'"said ')
            if line.startswith(b"data: ") and at > 0 and seen.measuring:
                said = float(line[at + 6 : line.index(b'"', at + 6)])
                seen.events.append(1000 * (time.time() - said))
        seen.faults.append("a live view was closed")
    finally:
        writer.close()


async def read_now_and_then(address: tuple[str, int], user: User, seen: Seen, pause: float) -> None:
    """Read the status over one connection, at random moments."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        while True:
            await asyncio.sleep(random.uniform(0.5, 1.5) * pause)
            began = time.perf_counter()
            writer.write(_call(user, f"/api/v1/requests/{user.request}", "application/json"))
            status = await reader.readline()
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            await reader.readexactly(length)
            if b" 200 " not in status:
                seen.faults.append(status.decode())
            elif seen.measuring:
                seen.reads.append(1000 * (time.perf_counter() - began))
    finally:
        writer.close()


async def measure(told: dict[str, object], options: argparse.Namespace, go: object) -> Seen:
    """Let all users come, then watch for a while."""
    parts = urlsplit(str(told["base_url"]))
    address = (parts.hostname or "", parts.port or 0)
    requests = told["requests"]
    assert isinstance(requests, list), "the desk tells its requests"
    sessions = Sessions(secret=SecretStr(SECRET), lifetime=3600)
    users = [_user(number, requests, sessions) for number in range(options.users)]
    seen, opened = Seen(), asyncio.Semaphore(0)
    tasks = []
    for start in range(0, len(users), 50):
        few = users[start : start + 50]
        tasks += [asyncio.create_task(watch(address, user, seen, opened)) for user in few]
        for _ in few:
            await asyncio.wait_for(opened.acquire(), 60)
    tasks += [asyncio.create_task(read_now_and_then(address, user, seen, options.pause)) for user in users]
    go()  # type: ignore[operator]  # lets the requests begin to speak
    await asyncio.sleep(options.warm_up)
    # The users' own garbage would count as the desk's slowness.
    gc.disable()
    seen.measuring = True
    await asyncio.sleep(options.seconds)
    seen.measuring = False
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seen


def _user(number: int, requests: list[str], sessions: Sessions) -> User:
    which = number % len(requests)
    identity = Identity(
        subject=f"user {number}", account=owner(which), name=f"User {number}", roles=frozenset({Role.USER})
    )
    return User(request=requests[which], cookie=sessions.begin(identity))


def _call(user: User, path: str, accept: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", "Host: desk", f"Accept: {accept}", f"Cookie: alma-restore={user.cookie}")
    return "\r\n".join((*lines, "", "")).encode()


def main() -> None:
    """Measure, and tell whether what is asked for is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--period", type=float, default=5.0, help="seconds from one word of a request to its next")
    parser.add_argument("--pause", type=float, default=10.0, help="seconds from one status read of a user to the next")
    parser.add_argument("--warm-up", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.desk_server", folder]
        desk = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert desk.stdin, "it was asked for"
        assert desk.stdout, "it was asked for"
        try:
            desk.stdin.write(json.dumps({"requests": options.requests, "period": options.period}) + "\n")
            desk.stdin.flush()
            told = json.loads(desk.stdout.readline())

            def go() -> None:
                assert desk.stdin, "it was asked for"
                desk.stdin.write("\n")
                desk.stdin.flush()

            seen = asyncio.run(measure(told, options, go))
            go()
            last = json.loads(desk.stdout.readline())
        finally:
            desk.stdin.close()
            desk.wait(20)
    _tell(seen, last, options)


def _tell(seen: Seen, last: dict[str, float], options: argparse.Namespace) -> None:
    spoken = last["said"] / (options.seconds + options.warm_up)
    print(
        f"{options.users} users, {options.requests} live requests, {os.cpu_count()} cores: "
        f"{len(seen.reads) / options.seconds:.0f} status reads/s, {spoken:.0f} events/s said, "
        f"{len(seen.events) / options.seconds:.0f} events/s seen; "
        f"the desk took {last['cpu'] / (options.seconds + options.warm_up):.2f} cores, "
        f"and was halted by garbage for {last['halt']:.0f} ms at most"
    )
    for name, values in (("status reads", seen.reads), ("events", seen.events)):
        print(f"{name}: median {median(values):.1f} ms, p99 {_p99(values):.1f} ms, slowest {max(values):.1f} ms")
    wanted = options.requests / options.period
    close(
        [
            Figure("p99 of a status read", _p99(seen.reads), SLOWEST_READ, at_most=True, unit=" ms"),
            Figure(
                "slowest event until an open page has it", max(seen.events), SLOWEST_EVENT, at_most=True, unit=" ms"
            ),
            Figure("events said", spoken / wanted, 0.95),
            Figure("calls that failed", len(seen.faults), 0, at_most=True),
        ]
    )


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100)[98]


if __name__ == "__main__":
    main()
