"""Tell what a database error means: the database is away (try later) or an operator must act (never)."""

import re
from collections.abc import Iterator

from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.errors import DependencyAwayError, MisconfiguredError, RestoreError

_CODE = re.compile(r"\b(?:ORA|DPY)-\d{4,5}\b")
_AWAY = frozenset(
    _CODE.findall(
        """
        ORA-00018 ORA-00020 ORA-00028 ORA-01012 ORA-01033 ORA-01034 ORA-01089 ORA-01090 ORA-01092
        ORA-03113 ORA-03114 ORA-03135 ORA-12152 ORA-12170 ORA-12502 ORA-12505 ORA-12514 ORA-12516
        ORA-12518 ORA-12519 ORA-12520 ORA-12528 ORA-12537 ORA-12541 ORA-12543 ORA-12547 ORA-12571
        ORA-25408 ORA-27101 DPY-1001 DPY-4005 DPY-4011 DPY-4024 DPY-6000 DPY-6001 DPY-6003 DPY-6005
        """
    )
)
_OPERATOR = frozenset(
    _CODE.findall(
        """
        ORA-00904 ORA-00942 ORA-01005 ORA-01017 ORA-01031 ORA-01045 ORA-28000 ORA-28001 ORA-28040
        ORA-00922 ORA-00933 ORA-00936 DPY-2017 DPY-3001 DPY-3010 DPY-4000 DPY-4001 DPY-4017 DPY-4018 DPY-4027
        """
    )
)
_SCHEMA = re.compile(
    r"no such (?:table|column)|not a database|no password|password authentication"
    r"|(?:role|database) \"[^\"]*\" does not exist|no pg_hba\.conf entry",
    re.IGNORECASE,
)


def meaning_of(error: Exception) -> RestoreError | None:
    """Translate an error of driver, pool or network.

    A code that names an operator's matter wins over one that says "away":
    a refused login may come wrapped in a failed connection.

    Returns
    -------
    RestoreError or None
        `DependencyAwayError`, `MisconfiguredError`, or None for an error that is not the database's.
    """
    if isinstance(error, ArgumentError | NoSuchModuleError):
        return MisconfiguredError(f"the archive database's URL cannot be used: {error}; correct the setting")
    if not isinstance(error, DBAPIError | PoolTimeoutError | OSError):
        return None
    text = " / ".join(str(link) for link in _chain(error))
    codes = set(_CODE.findall(text))
    if codes & _OPERATOR or _SCHEMA.search(text):
        return MisconfiguredError(
            f"the archive database refuses us: {_line(error)}; check account, password, grants and schema owner"
        )
    if codes & _AWAY or _looks_away(error):
        return DependencyAwayError(f"the archive database is away: {_line(error)}; the request waits")
    return MisconfiguredError(f"the archive database rejects a statement: {_line(error)}; check schema and release")


def _looks_away(error: Exception) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | PoolTimeoutError | OSError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = getattr(link, "orig", None) or link.__cause__


def _line(error: Exception) -> str:
    """Return the driver's own first line: SQLAlchemy's text would add the statement and its values."""
    original = getattr(error, "orig", None) or error
    lines = str(original).strip().splitlines()
    return f"{type(original).__name__}: {lines[0] if lines else 'no text'}"
