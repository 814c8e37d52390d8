"""What ``stagecalms`` prints: each step of a request in the words of the procedure's terminal output."""

from collections.abc import Callable
from datetime import UTC, timedelta

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import (
    ArtefactsStaged,
    DeliveryAnnounced,
    ProductsReady,
    ReleaseGranted,
    ReleaseWithheld,
    RequestAccepted,
    RequestCancelled,
    RequestFailed,
    RequestRefused,
    RequestWaiting,
    RestoreCompleted,
    RestoreOrdered,
    RestoreProgressed,
    RestoreStarted,
    StructureResolved,
)
from contracts.messages.parts import CasaChoice, RestoredBlock, RestoreRequest
from contracts.reasons import REASONS, ReasonCode


def opening(request: RestoreRequest) -> list[str]:
    """Say what will be staged, if it is not everything."""
    fields = ",".join(request.selection.calibrator_fields)
    return [f"*** Based on your selection, only data for field {fields} will be staged. ***"] if fields else []


class StepPrinter:
    """Turns the events of a request into lines; feed it each event once.

    Parameters
    ----------
    write
        Prints a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._steps: dict[ExecBlockUid, str] = {}
        self._notes: set[str] = set()

    def show(self, event: Event) -> None:
        """Print what an event says, if it is a step."""
        for line in self._lines(event):
            self._write(line)

    def _lines(self, event: Event) -> list[str]:
        match event.data:
            case RestoreProgressed(eb_uid=eb_uid, step=step):
                if self._steps.get(eb_uid) == step:
                    return []
                self._steps[eb_uid] = step
                return [f"{eb_uid.file_form}: {step} ..."]
            case RestoreOrdered(casa=CasaChoice(note=str(note))):
                return [*self._once(note), *_on_the_way(event)]
            case RestoreStarted(eb_uid=eb_uid, runner=runner):
                return [f"DATAMACHINE chosen: {runner}", *_regenerated(eb_uid)]
            case RestoreCompleted(block=block):
                return _completed(block)
            case _:
                return _on_the_way(event) or _at_the_end(event)

    def _once(self, note: str) -> list[str]:
        """Tell of the CASA that is used, at the first block that needs it."""
        new = [] if note in self._notes else [note]
        self._notes.add(note)
        return new


def _regenerated(eb_uid: ExecBlockUid) -> list[str]:
    return [
        f"MS for {eb_uid.file_form} was not found among the already staged MSs. Will not search further ...",
        "Will regenerate it ...",
    ]


def _completed(block: RestoredBlock) -> list[str]:
    if not block.reused:
        return [f"Completed {block.file_name}"]
    return [
        f"Found pre-existing {block.file_name} .",
        "   Will try to use this instead of recreating it (making hard link) ...",
    ]


def _on_the_way(event: Event) -> list[str]:
    match event.data:
        case RequestAccepted(entitlement=entitlement):
            return [f"The request is accepted ({entitlement.value})."]
        case StructureResolved(structure=structure):
            names = [eb_uid.file_form for eb_uid in structure.execution_blocks]
            return [
                "Now generating the calibrated MS(s) ...",
                *structure.notes,
                "Checking for pre-existing MSs for the following EBs ...",
                *names,
            ]
        case ArtefactsStaged(eb_uid=eb_uid, reused=reused):
            return [
                f"Raw data and calibration of {eb_uid.file_form} {'were fetched before' if reused else 'are here'}."
            ]
        case RestoreOrdered(eb_uid=eb_uid):
            return [f"Generated the job script for {eb_uid.file_form}. Now submitting and waiting for completion ..."]
        case RequestWaiting(service=service, cause=cause):
            return [f"Waiting: {service}: {cause}"]
        case ProductsReady():
            return ["Completed. Determining the list of generated MSs ..."]
        case ReleaseGranted(blocks=blocks):
            return ["Copying over the generated MSs ...", *(block.file_name for block in blocks)]
        case _:
            return []


def _at_the_end(event: Event) -> list[str]:
    match event.data:
        case DeliveryAnnounced() as delivery:
            return _staged(delivery, event)
        case RequestRefused(request=request, reason=reason, detail=detail):
            return ["", *_refused(request, reason, detail)]
        case ReleaseWithheld(request=request, reason=reason, detail=detail):
            return ["", *_refused(request, reason, detail)]
        case RequestFailed() as failed:
            return _failed(failed)
        case RequestCancelled(by=by):
            return ["", f"Cancelled by {by}."]
        case _:
            return []


def _staged(delivery: DeliveryAnnounced, event: Event) -> list[str]:
    request, said = delivery.request, event.time.astimezone(UTC)
    days = max(0, round((delivery.expires - said) / timedelta(days=1)))
    return [
        *(file.name for file in delivery.files),
        f"total size is {sum(file.size for file in delivery.files)}",
        "",
        f"Staging of calibrated MS(s) for {request.project_code} {request.mous_uid.file_form} "
        f"helpdesk ticket #{request.ticket} completed",
        f"at {delivery.address}",
        f"Data will be deleted {days} days from {said:%a %b %d %H:%M:%S UTC %Y} "
        "unless you put a .donotremove into the directory.",
    ]


def _refused(request: RestoreRequest, reason: ReasonCode, detail: str) -> list[str]:
    found = [f"    {detail}"] if detail else []
    return [f"{REASONS[reason].title}: {request.mous_uid.file_form}", REASONS[reason].operator, *found]


def _failed(failed: RequestFailed) -> list[str]:
    lines = [""]
    for failure in failed.failures:
        where = failure.working_directory
        lines += [
            f"Failed. Please investigate  {where or failure.eb_uid.file_form} and possibly remove incomplete data "
            f"belonging to MOUS {failed.request.mous_uid}",
            f"    {REASONS[failure.reason].operator}",
            f"    {failure.detail}",
        ]
        if where:
            lines.append(f"The working directory {where} was not removed.")
    return lines
