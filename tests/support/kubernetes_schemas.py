"""What Kubernetes takes: the schemas of the versions that we support, which docs/deploying.md names."""

from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types

VERSIONS = ("1.34", "1.35", "1.36", "1.37")


class NotTakenError(ValueError):
    """Kubernetes would refuse it."""


def check(document: dict[str, Any], version: str = VERSIONS[0]) -> None:
    """Hold an object against the schema of its kind; a member that is not in there is a fault, too.

    Raises
    ------
    NotTakenError
        If it does not fit.
    """
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise NotTakenError(str(error)) from error
