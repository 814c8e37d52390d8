"""Verify signed tokens: signature, issuer, audience, times, and by which keys."""

from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from services.request_desk.web.faults import UnknownCallerError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that only the provider can make: none with a shared secret, and never ``none``."""

_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

LONGEST = 16 * 1024

Claims = Mapping[str, Any]


class UnknownKeyError(UnknownCallerError):
    """A token is signed by a key that is not among the known ones: they may have been changed."""


def verify(token: str, keys: KeySet, *, issuer: str, audience: str, leeway: int) -> Claims:
    """Return the claims of a token that the issuer made for this audience and that is valid now.

    Parameters
    ----------
    token
        As it came.
    keys
        The issuer's public keys.
    issuer, audience
        What ``iss`` must be, and what must be among ``aud``.
    leeway
        Seconds that clocks may differ.

    Raises
    ------
    UnknownKeyError
        If none of the keys made the signature by its name: fetch them anew, once.
    UnknownCallerError
        If it is anything but valid; what exactly is in ``reason``, for the log only.
    """
    if len(token) > LONGEST:
        raise UnknownCallerError("the token is too long", reason="token_too_long")
    try:
        found = jwt.decode(token, keys, algorithms=ALGORITHMS)
        _rules(issuer, audience, leeway).validate(found.claims)
    except InvalidKeyIdError as error:
        raise UnknownKeyError("the token is not valid here", reason="token_key_unknown") from error
    except ExpiredTokenError as error:
        raise UnknownCallerError("the token has expired: get a new one", reason="token_expired") from error
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        why = f"token_{getattr(error, 'claim', None) or type(error).__name__}"
        raise UnknownCallerError("the token is not valid here", reason=why) from error
    return found.claims


def algorithms_of(key: Key) -> tuple[str, ...]:
    """Name the algorithms whose signatures are verified here by this key; none if it is of no use."""
    able: tuple[str, ...] = ()
    if isinstance(key, RSAKey):
        able = tuple(each for each in ALGORITHMS if each.startswith(("RS", "PS")))
    elif isinstance(key, ECKey):
        able = tuple(each for each in ALGORITHMS if each == _OF_CURVE.get(key.curve_name))
    return tuple(each for each in able if key.alg in (None, each))


def _rules(issuer: str, audience: str, leeway: int) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=leeway,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        sub={"essential": True},
    )
