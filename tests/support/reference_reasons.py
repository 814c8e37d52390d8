"""Writes the reference page of reason codes from the contracts."""

from contracts.reasons import REASONS, ReasonCode

_HEAD = """# Reasons

Generated from the contracts by `make reference`. A request that does not end in a delivery has one of these codes, in
messages, in the ledger, in metrics and over HTTP. Codes stay; sentences may improve. The title stands above the request
that a mail quotes; the user is told the first sentence, the operator the second.
"""


def reasons_page() -> str:
    """Return the page."""
    return _HEAD + "".join(_section(code) for code in ReasonCode)


def _section(code: ReasonCode) -> str:
    reason = REASONS[code]
    return f"\n## `{code}`\n\n{reason.title}\n\n- user: {reason.user}\n- operator: {reason.operator}\n"
