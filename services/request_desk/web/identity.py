"""Who somebody is: read from the claims of a token, by the names that the site gives them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.messages.parts import EmailText, LineText
from services.request_desk.web.faults import RefusedError
from services.request_desk.web.settings import LocalSignIn, OidcSignIn


class Role(StrEnum):
    """What somebody may do.

    A user asks for oneself and sees own requests. A submitter is a program that asks in the name of
    users. An operator sees and does everything.
    """

    USER = "user"
    SUBMITTER = "submitter"
    OPERATOR = "operator"


class Identity(BaseModel):
    """Who makes a call.

    Attributes
    ----------
    subject
        Names the person or program for good, unlike account and address.
    account
        ALMA account.
    email
        Address that the provider has verified; None if it has not.
    """

    model_config = ConfigDict(frozen=True)

    subject: LineText
    account: LineText
    name: LineText
    email: EmailText | None = None
    roles: frozenset[Role] = frozenset()

    def is_any(self, *roles: Role) -> bool:
        """Whether the person has one of the roles."""
        return not self.roles.isdisjoint(roles)

    @property
    def sees_all(self) -> bool:
        """Whether other people's requests may be seen."""
        return self.is_any(Role.OPERATOR, Role.SUBMITTER)


def identity_of(claims: Mapping[str, Any], settings: OidcSignIn) -> Identity:
    """Read who the claims of a verified token are about.

    Raises
    ------
    RefusedError
        If the claims lack what the settings name.
    """
    account = _claim(claims, settings.account_claim)
    email = _claim(claims, settings.email_claim) if claims.get("email_verified") is True else None
    try:
        return Identity(
            subject=claims["sub"],
            account=account,
            name=_claim(claims, settings.name_claim) or account,
            email=email,
            roles=_roles(_claim(claims, settings.roles_claim), settings),
        )
    except (KeyError, ValidationError) as error:
        raise RefusedError(
            f"the token names no person: sub and {settings.account_claim} are needed", reason="claims"
        ) from error


def local_identity(settings: LocalSignIn) -> Identity:
    """Return the one person of the local sign-in."""
    roles = {Role.USER, Role.OPERATOR} if settings.is_operator else {Role.USER}
    return Identity(
        subject=f"local:{settings.account}",
        account=settings.account,
        name=settings.name,
        email=settings.email,
        roles=frozenset(roles),
    )


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """Follow a path with dots; None where it leads nowhere. A claim whose own name has dots is found first."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def _roles(found: Any, settings: OidcSignIn) -> frozenset[Role]:
    names = {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()
    wanted = {settings.operator_role: Role.OPERATOR, settings.submitter_role: Role.SUBMITTER}
    roles = {role for name, role in wanted.items() if name in names}
    # A program is no user: it owns nothing, and asks in the name of those who do.
    if Role.SUBMITTER not in roles and settings.user_role in (None, *names):
        roles.add(Role.USER)
    return frozenset(roles)
