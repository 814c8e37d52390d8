"""What is asked and what goes wrong when, drawn from a seed: the same seed gives the same plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

from alma_restore.demo.scenario import CONTACT, Asked, Expected
from alma_restore.progress import RequestState
from contracts.identifiers import MousUid
from contracts.messages.parts import RestoreTicket, Selection
from contracts.reasons import ReasonCode
from observatory import metadata_demo
from observatory.metadata_entities import DemoAccount, DemoMous
from shared.tickets import requests_of
from tests.chaos.tiny_alma import CALIBRATORS, tiny_mous
from tests.support.casa_standin import FIELDS

BROKER, STORE, CUT_BROKER, CUT_STORE, REPEAT, POISON = (
    "kill broker",
    "kill store",
    "cut broker's connections",
    "cut store's connections",
    "repeat deliveries",
    "poison",
)
_RARE = (BROKER, STORE)
_ALWAYS = (CUT_BROKER, CUT_STORE, REPEAT, POISON)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A ticket that is sent so many seconds after the beginning, and what must come of the request in it."""

    at: float
    ticket: RestoreTicket
    asked: Asked


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that goes wrong: a victim's name or one of the above, so many seconds after the beginning."""

    at: float
    what: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole run.

    Attributes
    ----------
    mouss
        The MOUSs there are.
    corrupted, crashing
        Those whose first block is damaged in the archive, and those at whose first block CASA crashes.
    asks
        What is asked, in order.
    kinds
        All that can go wrong.
    troubles
        What goes wrong, in order; in a minute all of it.
    """

    seed: int
    seconds: float
    mouss: tuple[DemoMous, ...]
    corrupted: tuple[MousUid, ...]
    crashing: tuple[MousUid, ...]
    asks: tuple[Ask, ...]
    kinds: tuple[str, ...]
    troubles: tuple[Trouble, ...]

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The requests."""
        return tuple(each.asked for each in self.asks)


def draw_plan(*, seed: int, requests: int, seconds: float, victims: Sequence[str], pause: float = 2.0) -> Plan:
    """Draw a plan.

    Parameters
    ----------
    seed
        Chooses everything.
    requests
        How many requests are sent, in the first three quarters of the time.
    seconds
        How long things go wrong.
    victims
        The services' replicas that are killed, by their places.
    pause
        Mean seconds between two troubles.
    """
    random = Random(seed)
    number = max(6, requests // 3)
    mouss = tuple(tiny_mous(each, blocks=random.choice((1, 1, 2, 3))) for each in range(1, number + 1))
    corrupted, crashing, sound = mouss[:1], mouss[1:2], mouss[2:]
    asks = [
        _draw_ask(random, seconds * 0.75 * random.random(), index, sound, corrupted[0], crashing[0])
        for index in range(requests)
    ]
    return Plan(
        seed=seed,
        seconds=seconds,
        mouss=mouss,
        corrupted=tuple(mous.uid for mous in corrupted),
        crashing=tuple(mous.uid for mous in crashing),
        asks=tuple(sorted(asks, key=lambda each: each.at)),
        kinds=(*_ALWAYS, *victims, *_RARE),
        troubles=tuple(_draw_troubles(random, seconds, victims, pause)),
    )


def _draw_ask(
    random: Random, at: float, index: int, sound: Sequence[DemoMous], corrupted: DemoMous, crashing: DemoMous
) -> Ask:
    mous = random.choice(sound)
    kinds = {
        "pi": (metadata_demo.PI, mous, (), _delivered(mous, FIELDS)),
        "delegee": (metadata_demo.DELEGEE, mous, (), _delivered(mous, FIELDS)),
        "calibrators": (metadata_demo.STRANGER, mous, CALIBRATORS, _delivered(mous, CALIBRATORS)),
        "stranger": (metadata_demo.STRANGER, mous, (), _ended(RequestState.REFUSED, ReasonCode.NOT_ENTITLED)),
        "unknown": (metadata_demo.PI, None, (), _ended(RequestState.REFUSED, ReasonCode.INVALID_MOUS_UID)),
        "corrupted": (metadata_demo.PI, corrupted, (), _ended(RequestState.FAILED, ReasonCode.CHECKSUM_MISMATCH)),
        "crashing": (metadata_demo.PI, crashing, (), _ended(RequestState.FAILED, ReasonCode.CASA_CRASHED)),
    }
    (kind,) = random.choices(tuple(kinds), weights=(50, 16, 12, 8, 4, 5, 5))
    user, wanted, fields, expected = kinds[kind]
    uid = wanted.uid if wanted else metadata_demo.UNKNOWN_MOUS
    ticket = _ticket(UUID(int=random.getrandbits(128), version=4), user, uid, fields)
    (request,) = requests_of(ticket)
    return Ask(at=at, ticket=ticket, asked=Asked(title=f"{index} {kind} {uid}", request=request, expected=expected))


def _ticket(ticket_id: UUID, user: DemoAccount, mous_uid: MousUid, fields: tuple[str, ...]) -> RestoreTicket:
    return RestoreTicket(
        request_id=ticket_id,
        project_code=metadata_demo.PROJECT.code,
        mous_uids=(mous_uid,),
        user_name=user.name,
        user_email=user.email,
        ticket=str(ticket_id)[:8],
        selection=Selection(calibrator_fields=fields),
        contact_email=CONTACT,
        force=True,
    )


def _delivered(mous: DemoMous, fields: tuple[str, ...]) -> Expected:
    return Expected(state=RequestState.DELIVERED, files=len(mous.blocks), fields=frozenset(fields))


def _ended(state: RequestState, reason: ReasonCode) -> Expected:
    return Expected(state=state, reason=reason)


def _draw_troubles(random: Random, seconds: float, victims: Sequence[str], pause: float) -> list[Trouble]:
    """Draw rounds in which everything goes wrong once, in random order; servers that take long to start every other.

    In the first round all goes wrong, so that a short run has all of it.
    """
    troubles, at, turn = list[Trouble](), pause, 0
    while at < seconds:
        this_round = [*_ALWAYS, *victims, *(_RARE if turn == 0 else (_RARE[turn % len(_RARE)],))]
        random.shuffle(this_round)
        for what in this_round:
            troubles.append(Trouble(at=at, what=what))
            at += random.uniform(0.5, 1.5) * pause
        turn += 1
    return [trouble for trouble in troubles if trouble.at < seconds]
