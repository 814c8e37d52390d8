"""Tell of requests that are under way by the record that the entitlement checker decides duplicates by."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from pydantic_settings import SettingsError

from contracts.identifiers import MousUid
from services.entitlement_checker.active import ActiveRequests, Holder
from services.entitlement_checker.settings import EntitlementCheckerSettings
from shared.errors import RestoreError
from shared.objects import open_store
from shared.settings import StoreAccess, explain


@dataclass(frozen=True)
class UnderWay:
    """Who is being served which MOUS, or why that is not known."""

    holders: Mapping[MousUid, Sequence[Holder]] = field(default_factory=dict)
    unknown: str | None = None


def find_requests_under_way(mous_uids: Sequence[MousUid]) -> UnderWay:
    """Look into the object store that the environment names; that it does not answer is an answer, too."""
    try:
        with closing(open_store(StoreAccess().store)) as objects:
            longest = timedelta(days=EntitlementCheckerSettings().active_days)
            active = ActiveRequests(objects=objects, longest=longest, clock=lambda: datetime.now(UTC))
            return UnderWay({mous_uid: active.under_way(mous_uid) for mous_uid in mous_uids})
    except (ValidationError, SettingsError) as error:
        return UnderWay(unknown=explain(error))
    except RestoreError as error:
        return UnderWay(unknown=str(error))
