"""The record of a delivery, which several desks change."""

from datetime import timedelta
from pathlib import Path

from contracts.messages.parts import ObjectRef
from shared.objects import ObjectInfo
from shared.objects.directory import DirectoryStore
from tests.support.deliveries import DeliverySite


class ContestedStore(DirectoryStore):
    """A store in which another desk renews a delivery each time that its state has just been looked at."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.rival: DeliverySite | None = None

    def info(self, key: str) -> ObjectInfo | None:
        found = super().info(key)
        self._meddle(key)
        return found

    def replace(self, key: str, data: bytes, *, expected: ObjectRef) -> ObjectRef:
        self._meddle(key)
        return super().replace(key, data, expected=expected)

    def _meddle(self, key: str) -> None:
        rival, self.rival = self.rival, None
        if rival is not None and key.endswith("state.json"):
            rival.later(hours=1)
            rival.desk.renew(key.split("/")[1], by="rival")
        elif rival is not None:
            self.rival = rival


def test_a_state_that_another_desk_changes_at_that_moment_is_read_and_changed_after_it(tmp_path: Path) -> None:
    store = ContestedStore(tmp_path)
    site = DeliverySite(store)
    token = site.deliver(1, [site.product(1)]).token
    site.later(days=1)
    site.desk.renew(token, by="vrubin")
    store.rival = site
    site.later(hours=1)
    renewed = site.desk.renew(token, by="vrubin")
    assert store.rival is None
    # The rival has renewed it later than we wanted to: ours adds nothing to that.
    assert (renewed.renewals, renewed.expires) == (2, site.now + timedelta(days=28))
