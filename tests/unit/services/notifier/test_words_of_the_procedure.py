"""Mails begin as the procedure for calibrated data words them, and go to whom it names."""

import pytest

from services.notifier.mail import request_mail_id
from tests.unit.services.notifier.mails import golden, plain_text
from tests.unit.services.notifier.samples import REQUEST

AS_THE_PROCEDURE_WORDS_IT = {
    "delivered.eml": """\
Your calibrated data is ready for download from
http://almascience.example.org/arcdistribution/preview/cdb386950af8ee148b3a9bc633942c6a

It will be deleted 28 days from now.

Kind regards,

The ESO ALMA Team
""",
    "refused_not_entitled.eml": "NOT ENTITLED\n",
    "refused_invalid_mous_uid.eml": "INVALID MOUS UID\n",
    "refused_mous_not_delivered.eml": "MOUS NOT DELIVERED\n",
    "refused_qa3_in_progress.eml": "MOUS NOT DELIVERED\n",
}
FOR_THE_USER = (
    "You presently do not have access permission for the requested data. Please wait until the data becomes public."
)
QUOTED_REQUEST = """\
> EU ARC contact contact@example.org
> CC email colleague@example.org
> ALMA: REQUEST FOR CALIBRATED DATA MOUS uid___A001_X1284_X265f
>
> Dear AOG,
> please create the calibrated MS for MOUS uid___A001_X1284_X265f
> project 2017.1.00886.L
> for user Vera Rubin
> email vera@example.org
> helpdesk ticket 16140
"""


@pytest.mark.parametrize("name", AS_THE_PROCEDURE_WORDS_IT)
def test_a_mail_begins_word_for_word_as_the_procedure_has_it(name: str) -> None:
    assert plain_text(golden(name)).startswith(AS_THE_PROCEDURE_WORDS_IT[name])


def test_a_reply_quotes_the_request_as_the_procedure_lays_it_out_and_gives_the_users_text() -> None:
    text = plain_text(golden("refused_not_entitled.eml"))
    assert text.endswith(QUOTED_REQUEST)
    assert FOR_THE_USER in " ".join(text.split())
    assert golden("refused_not_entitled.eml")["To"] == "contact@example.org"


@pytest.mark.parametrize("name", ["refused_not_entitled.eml", "refused_invalid_mous_uid.eml", "delivered.eml"])
def test_what_is_said_of_a_request_answers_its_mail(name: str) -> None:
    """The procedure has operations reply to the request mail; `alma-restore trigger` sends that one under this id."""
    mail = golden(name)
    assert mail["In-Reply-To"] == mail["References"] == f"<{request_mail_id(REQUEST.request_id)}@restore.example.org>"


def test_the_delivery_mail_is_addressed_as_the_procedure_has_it() -> None:
    mail = golden("delivered.eml")
    assert mail["To"] == "vera@example.org"
    for copied in ("contact@example.org", "support@example.org", "operations@example.org"):
        assert copied in mail["Bcc"]
    assert mail["Reply-To"] == "no-reply@example.org"
    assert mail["Subject"] == (
        "Re: ALMA: REQUEST FOR CALIBRATED DATA MOUS uid___A001_X1284_X265f, helpdesk ticket 16140"
    )
