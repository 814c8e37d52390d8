"""Which keys an object may have: those that every adapter can hold alike."""

import re

from shared.errors import RestoreError

MAX_KEY_BYTES = 1024
"""S3's limit of a key, UTF-8."""

MAX_SEGMENT_BYTES = 255
"""The limit of one name on ext4, XFS and NFS."""

_SURELY_FITS = MAX_SEGMENT_BYTES // 4
"""Characters that take no more bytes than a name may have, whichever they are."""

# Unicode's categories Cc and Cs, which never change; every look into the store comes by here.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class InvalidKeyError(RestoreError):
    """A key that the store cannot hold; the program that made it has to be corrected."""

    code = "invalid_key"


def check_key(key: str) -> str:
    """Return the key if every adapter can hold it.

    Raises
    ------
    InvalidKeyError
        Saying what is wrong with it.
    """
    problem = _problem_of_text(key) or _problem_of_segments(key.split("/"))
    if problem:
        raise InvalidKeyError(f"The key {key[:200]!r} {problem}; make it of names joined by single slashes")
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix if a key may begin with it; it may end within a name.

    Raises
    ------
    InvalidKeyError
        Saying what is wrong with it.
    """
    *names, _ = prefix.split("/")
    problem = prefix and (_problem_of_text(prefix) or _problem_of_segments(names))
    if problem:
        raise InvalidKeyError(f"The prefix {prefix[:200]!r} {problem}; no key can begin with it")
    return prefix


def _problem_of_text(text: str) -> str | None:
    if not text:
        return "is empty"
    if _UNWRITABLE.search(text):
        return "holds a control character or half a surrogate pair"
    if len(text.encode()) > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    if "\\" in text:
        return "holds a backslash, which some servers turn into a slash"
    if text.startswith("."):
        return "begins with a dot, which is kept for the store itself"
    return None


def _problem_of_segments(segments: list[str]) -> str | None:
    if "" in segments:
        return "has an empty name (a slash at an end, or two together)"
    if "." in segments or ".." in segments:
        return "has a '.' or '..' between its slashes"
    if any(len(segment.encode()) > MAX_SEGMENT_BYTES for segment in segments if len(segment) > _SURELY_FITS):
        return f"has a name longer than {MAX_SEGMENT_BYTES} bytes"
    return None
