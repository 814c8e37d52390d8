"""Identifiers in ALMA's own grammar: entity UIDs, project codes and session names.

Every identifier is a ``str`` in its canonical form. A UID is read in both
spellings in use, ``uid://A001/X1284/X265f`` (database) and
``uid___A001_X1284_X265f`` (files and mails), and is kept in the first.
"""

import re
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class InvalidIdentifierError(ValueError):
    """A text is not an identifier of the kind asked for."""


class _Identifier(str):
    """A string that is checked and made canonical when it is constructed."""

    __slots__ = ()
    json_pattern: ClassVar[str]
    json_description: ClassVar[str]

    def __new__(cls, text: str) -> Self:
        return super().__new__(cls, cls._canonical(text))

    @classmethod
    def _canonical(cls, text: str) -> str:
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": cls.json_pattern, "description": cls.json_description}


_CANONICAL = re.compile(r"uid://A[0-9a-f]{3}/X[0-9a-f]+/X[0-9a-f]+")
_URI = re.compile(r"uid://A([0-9a-f]{3})/X([0-9a-f]+)/X([0-9a-f]+)", re.IGNORECASE)
_FILE = re.compile(r"uid___A([0-9a-f]{3})_X([0-9a-f]+)_X([0-9a-f]+)", re.IGNORECASE)


class EntityUid(_Identifier):
    """The UID of an ALMA entity (a project, an OUS status, an execution block …).

    Whether the first part is A001 or A002 says nothing about the kind of
    entity: there are ObsProjects under A002.
    """

    __slots__ = ()
    json_pattern = r"^uid(://A[0-9a-fA-F]{3}/X[0-9a-fA-F]+/|___A[0-9a-fA-F]{3}_X[0-9a-fA-F]+_)X[0-9a-fA-F]+$"
    json_description = "ALMA entity UID; canonical spelling uid://A001/X1284/X265f"

    @classmethod
    def _canonical(cls, text: str) -> str:
        if _CANONICAL.fullmatch(text) is not None:  # what our own events say: it is read more often than written
            return text
        found = _URI.fullmatch(text.strip()) or _FILE.fullmatch(text.strip())
        if found is None:
            raise InvalidIdentifierError(
                f"{text!r} is not an ALMA UID: write it like uid://A001/X1284/X265f or uid___A001_X1284_X265f"
            )
        return "uid://A{}/X{}/X{}".format(*(part.lower() for part in found.groups()))

    @property
    def file_form(self) -> str:
        """The spelling used in file names and mails: ``uid___A001_X1284_X265f``."""
        return self.replace(":", "_").replace("/", "_")


class MousUid(EntityUid):
    """The UID of a Member ObsUnitSet's status entity: what a request names."""

    __slots__ = ()


class ExecBlockUid(EntityUid):
    """The UID of an execution block, which is also that of its ASDM."""

    __slots__ = ()


class ProjectCode(_Identifier):
    """A project code such as ``2017.1.00886.L``: year, call, number, kind."""

    __slots__ = ()
    json_pattern = r"^[0-9]{4}\.[0-9A-Z]\.[0-9]{5}\.[A-Z]+$"
    json_description = "ALMA project code, e.g. 2017.1.00886.L"
    _GRAMMAR: ClassVar[re.Pattern[str]] = re.compile(r"\d{4}\.[0-9A-Z]\.\d{5}\.[A-Z]+", re.ASCII)

    @classmethod
    def _canonical(cls, text: str) -> str:
        if cls._GRAMMAR.fullmatch(text.strip()) is None:
            raise InvalidIdentifierError(
                f"{text!r} is not an ALMA project code: write it like 2017.1.00886.L (year.call.number.kind)"
            )
        return text.strip()

    @property
    def is_cycle_0(self) -> bool:
        """Whether the project is of Cycle 0, whose calibrated data is in the archive already."""
        return self.startswith("2011.0.")


class SessionName(_Identifier):
    """A session's name in PPRs, manifests and product names: ``session_1`` and up."""

    __slots__ = ()
    json_pattern = r"^session_[1-9][0-9]*$"
    json_description = "Session name as the pipeline writes it, e.g. session_1"
    _GRAMMAR: ClassVar[re.Pattern[str]] = re.compile(r"session_[1-9]\d*", re.ASCII)

    @classmethod
    def _canonical(cls, text: str) -> str:
        if cls._GRAMMAR.fullmatch(text) is None:
            raise InvalidIdentifierError(f"{text!r} is not a session name: write it like session_1")
        return text

    @classmethod
    def numbered(cls, number: int) -> "SessionName":
        """Name the session that stands at this place, counted from 1."""
        return cls(f"session_{number}")

    @property
    def number(self) -> int:
        """The place of the session among the stored ones, counted from 1."""
        return int(self.removeprefix("session_"))
