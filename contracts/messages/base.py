"""The base of all messages, and the registry that finds a class by type and version."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

TYPE_PREFIX = "org.alma-restore."


class Message(BaseModel):
    """The data of an event. A subclass names its ``topic`` and ``version`` when it is defined.

    Unknown members are ignored when read, so that a newer sender of the same
    version may add optional ones; what is written is exactly what is declared.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    version: ClassVar[int]

    def __init_subclass__(cls, *, topic: str, version: int, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.topic, cls.version = topic, version
        if _REGISTRY.setdefault(cls.type_name(), cls) is not cls:
            raise TypeError(f"two message classes for {cls.type_name()}")

    @classmethod
    def type_name(cls) -> str:
        """The CloudEvents type: ``org.alma-restore.request.submitted.v1``."""
        return f"{TYPE_PREFIX}{cls.topic}.v{cls.version}"


_REGISTRY: dict[str, type[Message]] = {}


class UnknownMessageTypeError(ValueError):
    """No class is known for a message's type and version."""


def message_class(type_name: str) -> type[Message]:
    """Find the class of a CloudEvents type.

    Raises
    ------
    UnknownMessageTypeError
        If this release knows no such type or version.
    """
    try:
        return _REGISTRY[type_name]
    except KeyError:
        raise UnknownMessageTypeError(
            f"unknown message type {type_name!r}: this release reads {', '.join(sorted(_REGISTRY))}"
        ) from None


def known_types() -> dict[str, type[Message]]:
    """Return every message class by its CloudEvents type."""
    return dict(_REGISTRY)
