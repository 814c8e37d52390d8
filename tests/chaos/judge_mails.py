"""Whether a mail was sent more often than a death excuses."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from tests.chaos.postbox import Sent

Recorded = Mapping[str, Sequence[datetime]]
"""When it was recorded in the store that a mail went out, by its Message-ID."""


def mails_recorded(logs: Path) -> Recorded:
    """Read from the notifiers' logs when each mail was recorded."""
    found: dict[str, list[datetime]] = defaultdict(list)
    for path in logs.glob("*-notifier.jsonl"):
        for line in path.read_text(errors="replace").splitlines():
            if '"mail_sent"' in line and (entry := _entry(line)).get("event") == "mail_sent":
                found[entry["message_id_header"]].append(datetime.fromisoformat(entry["timestamp"]))
    return found


def mails_sent_again(
    sent: Iterable[Sent], *, away: Sequence[tuple[datetime, datetime]], recorded: Recorded
) -> Iterator[str]:
    """Say which mail was handed over again, where nothing kept the notifier from recording that it had been.

    That window is the one that `docs/repeats.md` names: the notifier died in it, or the store was away.
    """
    times: dict[str, list[datetime]] = defaultdict(list)
    for each in sent:
        times[each.message_id].append(each.at)
    for message_id, handed_over in times.items():
        for before, after in pairwise(handed_over):
            if not any(since < after and before < until for since, until in away):
                yield f"mail {message_id} was sent at {before} and again at {after}, and nobody died in between"
            elif any(before < at < after for at in recorded.get(message_id, ())):
                yield f"mail {message_id} was sent at {before} and again at {after}, although it was recorded"


def _entry(line: str) -> dict[str, str]:
    """Read a line of a log; one that a killed process did not end says nothing."""
    try:
        entry: dict[str, str] = json.loads(line)
    except ValueError:
        return {}
    return entry
