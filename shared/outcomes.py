"""Fan-in without a coordinator: write one's own outcome, list them all, and the last one concludes.

Whoever ends an execution block, well or not, records it under the request. When
all blocks of the request have an outcome, the conclusion is said: products ready,
or failed with every reason. Two who both find themselves last say the same
event with the same id, since `Event.conclude` derives it from the request.
"""

from collections.abc import Sequence

from pydantic import TypeAdapter

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import ProductsReady, RequestFailed, RestoreCompleted, RestoreFailed
from contracts.messages.parts import BlockFailure, RestoredBlock, RestoreRequest
from shared import keys
from shared.objects import ObjectExistsError, ObjectStore

Outcome = RestoredBlock | BlockFailure
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


class Outcomes:
    """Records what became of execution blocks and says what follows from it."""

    def __init__(self, *, objects: ObjectStore, source: str) -> None:
        self._objects = objects
        self._source = source

    def find(self, request: RestoreRequest, eb_uid: ExecBlockUid) -> Outcome | None:
        """Return what became of a block of this request, or None while it is on its way."""
        key = keys.outcome(request.request_id, eb_uid)
        if self._objects.info(key) is None:
            return None
        return _OUTCOME.validate_json(self._objects.get(key))

    def record(
        self, cause: Event, request: RestoreRequest, blocks: Sequence[ExecBlockUid], outcome: Outcome
    ) -> list[Event]:
        """Record a block's outcome and return the events that tell it.

        The first outcome of a block stands; a repeat tells the first one again.

        Parameters
        ----------
        cause
            The event that was handled.
        request
            The request that the block belongs to.
        blocks
            All execution blocks of the request.
        outcome
            What became of the block.
        """
        key = keys.outcome(request.request_id, outcome.eb_uid)
        try:
            self._objects.create(key, _OUTCOME.dump_json(outcome))
        except ObjectExistsError:
            outcome = _OUTCOME.validate_json(self._objects.get(key))
        return [self._told(cause, request, outcome), *self._conclusion(cause, request, blocks, outcome)]

    def _told(self, cause: Event, request: RestoreRequest, outcome: Outcome) -> Event:
        message = (
            RestoreCompleted(request=request, block=outcome)
            if isinstance(outcome, RestoredBlock)
            else RestoreFailed(request=request, failure=outcome)
        )
        return cause.derive(message, source=self._source, key=outcome.eb_uid)

    def _conclusion(
        self, cause: Event, request: RestoreRequest, blocks: Sequence[ExecBlockUid], last: Outcome
    ) -> list[Event]:
        found = [last if block == last.eb_uid else self.find(request, block) for block in blocks]
        ended = [outcome for outcome in found if outcome is not None]
        if len(ended) < len(found):
            return []
        restored = tuple(outcome for outcome in ended if isinstance(outcome, RestoredBlock))
        failures = tuple(outcome for outcome in ended if isinstance(outcome, BlockFailure))
        message = (
            RequestFailed(request=request, failures=failures, restored=restored)
            if failures
            else ProductsReady(request=request, blocks=restored)
        )
        return [cause.conclude(message, source=self._source)]
