"""What the demonstration asks, in whose name, and what must come out."""

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from alma_restore.progress import RequestProgress, RequestState
from contracts.identifiers import MousUid, ProjectCode
from contracts.messages.parts import RestoreRequest, Selection
from contracts.reasons import ReasonCode
from observatory import metadata_demo as alma
from observatory.metadata_entities import DemoAccount


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How a request must end.

    Attributes
    ----------
    state
        Its last state.
    reason
        Why it ended so, unless it was delivered.
    files
        How many tars are delivered.
    fields
        The fields that they hold.
    reused
        Whether all of them existed before.
    """

    state: RequestState
    reason: ReasonCode | None = None
    files: int = 0
    fields: frozenset[str] = frozenset()
    reused: bool = False

    def differences(self, progress: RequestProgress) -> list[str]:
        """Say what came out otherwise; nothing if all is as expected."""
        delivery = progress.delivery
        found = {
            "state": (self.state, progress.state),
            "reason": (self.reason, progress.reason),
            "files": (self.files, len(delivery.files) if delivery else 0),
            "found pre-existing": (self.reused, bool(delivery and delivery.reused)),
            "fields": (self.fields, frozenset(name for block in progress.delivered for name in block.fields)),
        }
        return [f"{name}: {got} instead of {want}" for name, (want, got) in found.items() if got != want]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request of the demonstration.

    Attributes
    ----------
    title
        What it shows.
    request
        What is sent.
    expected
        How it must end.
    after
        The title of the request that must have ended before this one is sent.
    """

    title: str
    request: RestoreRequest
    expected: Expected
    after: str | None = None


ALL_FIELDS = frozenset({"J0510+1800", "J0423-0120", "J0321+1234", "HLX_Target"})
CONTACT = "arc.contact@example.org"


def scenario() -> tuple[Asked, ...]:
    """Return the requests of the demonstration in the order in which they are sent."""
    four = Expected(state=RequestState.DELIVERED, files=4, fields=ALL_FIELDS)
    calibrators = Expected(state=RequestState.DELIVERED, files=4, fields=frozenset(alma.CALIBRATOR_FIELDS))
    again = Expected(state=RequestState.DELIVERED, files=4, fields=ALL_FIELDS, reused=True)
    pi_asks = "four execution blocks in two sessions, by the PI"
    return (
        _ask(pi_asks, alma.PI, alma.MOUS.uid, expected=four),
        _ask(
            "calibrators only, by a user who is not entitled",
            alma.STRANGER,
            alma.MOUS.uid,
            fields=alma.CALIBRATOR_FIELDS,
            expected=calibrators,
        ),
        _ask("the same again, by a delegee", alma.DELEGEE, alma.MOUS.uid, expected=again, after=pi_asks),
        _ask("Cycle 0", alma.PI, alma.CYCLE_0_MOUS, code=alma.CYCLE_0_PROJECT, expected=_refused(ReasonCode.CYCLE_0)),
        _ask("unknown MOUS", alma.PI, alma.UNKNOWN_MOUS, expected=_refused(ReasonCode.INVALID_MOUS_UID)),
        _ask("not entitled", alma.STRANGER, alma.MOUS.uid, expected=_refused(ReasonCode.NOT_ENTITLED)),
        _ask("not delivered", alma.PI, alma.NOT_DELIVERED.uid, expected=_refused(ReasonCode.MOUS_NOT_DELIVERED)),
        _ask("QA3 in progress", alma.PI, alma.IN_QA3.uid, expected=_refused(ReasonCode.QA3_IN_PROGRESS)),
        _ask("no QA0_PASS block", alma.PI, alma.NOTHING_PASSED.uid, expected=_refused(ReasonCode.NO_QA0_PASS)),
        _ask(
            "binary data corrupted in the archive",
            alma.PI,
            alma.CORRUPTED.uid,
            code=alma.CORRUPTED.project.code,
            expected=_failed(ReasonCode.CHECKSUM_MISMATCH),
        ),
        _ask(
            "binary data truncated in the archive",
            alma.STRANGER,
            alma.TRUNCATED.uid,
            code=alma.TRUNCATED.project.code,
            expected=_failed(ReasonCode.SIZE_MISMATCH),
        ),
    )


def _refused(reason: ReasonCode) -> Expected:
    return Expected(state=RequestState.REFUSED, reason=reason)


def _failed(reason: ReasonCode) -> Expected:
    return Expected(state=RequestState.FAILED, reason=reason)


def _ask(
    title: str,
    user: DemoAccount,
    mous_uid: MousUid,
    *,
    expected: Expected,
    code: ProjectCode = alma.PROJECT.code,
    fields: tuple[str, ...] = (),
    after: str | None = None,
) -> Asked:
    request = RestoreRequest(
        request_id=uuid5(NAMESPACE_URL, f"tag:alma-restore,2026:demo/{title}"),
        project_code=code,
        mous_uid=mous_uid,
        user_name=user.name,
        user_email=user.email,
        ticket="16140",
        selection=Selection(calibrator_fields=fields),
        contact_email=CONTACT,
    )
    return Asked(title=title, request=request, expected=expected, after=after)
