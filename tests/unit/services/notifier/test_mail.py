"""Headers, addresses and encodings of mails."""

from dataclasses import replace
from email import message_from_bytes
from email.policy import compat32, default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.mail import Attachment, Draft, Mail, UnwritableMailError, request_mail_id, write_mail
from shared.request_text import one_line
from tests.unit.services.notifier.samples import EVENT_ID, NOW

DRAFT = Draft(to=("vera@example.org",), subject="Hello", body="Text\n", reply_to="no-reply@example.org", headers={})


def written(draft: Draft) -> Mail:
    return write_mail(draft, mail_id=EVENT_ID, sender="alma@example.org", domain="restore.example.org", date=NOW)


def test_a_mail_says_that_a_machine_wrote_it_and_has_a_message_id_made_of_what_it_says() -> None:
    message = written(DRAFT).message
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == f"<{EVENT_ID}@restore.example.org>"
    assert message["Date"] == "Fri, 02 Jan 2026 03:04:05 +0000"


def test_an_address_stands_once_in_the_envelope_and_in_its_first_header() -> None:
    mail = written(replace(DRAFT, cc=["VERA@example.org", "a@b.org"], bcc=["A@b.org", "c@d.org", "C@d.org"]))
    assert mail.recipients == ("vera@example.org", "a@b.org", "c@d.org")
    assert (mail.message["Cc"], mail.message["Bcc"]) == ("a@b.org", "c@d.org")


@pytest.mark.parametrize(
    "address",
    [
        "a,b@example.org",
        "a@example.org,b@example.org",
        "<a@example.org>",
        "a@example.org>\r\nBcc: x@example.org",
        "a@ex(ample.org",
        "",
    ],
)
def test_a_text_that_is_not_exactly_one_address_is_refused(address: str) -> None:
    with pytest.raises(UnwritableMailError, match="not an e-mail address"):
        written(replace(DRAFT, to=[address]))


@given(st.text())
def test_no_subject_or_header_can_begin_another_header(text: str) -> None:
    hostile = f"{text}\r\nBcc: mallory@example.org\u2028X: y"
    mail = written(replace(DRAFT, subject=hostile, headers={"X-ALMA-Restore-Reason": hostile}))
    read = message_from_bytes(mail.message.as_bytes(), policy=default)
    assert read["Bcc"] is None
    assert read["X"] is None
    assert len(read.keys()) == len(mail.message.keys())


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


def test_long_links_stay_unbroken_in_the_raw_text() -> None:
    link = "http://almascience.example.org/arcdistribution/preview/" + "c" * 200
    assert f"\r\n{link}\r\n".encode() in written(replace(DRAFT, body=f"at\n{link}\n")).message.as_bytes()


def test_an_address_beyond_ascii_is_written_in_utf8() -> None:
    mail = written(replace(DRAFT, to=["zoë@exämple.org"]))
    assert "To: zoë@exämple.org\r\n".encode() in mail.message.as_bytes()


@pytest.mark.parametrize("domain", ["restore.example.org", f"{'long.' * 20}example.org"])
def test_a_mail_refers_to_the_one_that_it_answers_so_that_programs_understand(domain: str) -> None:
    draft = replace(DRAFT, answers=request_mail_id(EVENT_ID))
    mail = write_mail(draft, mail_id=EVENT_ID, sender="alma@example.org", domain=domain, date=NOW)
    read = message_from_bytes(mail.message.as_bytes(), policy=compat32)
    for name in ("In-Reply-To", "References"):
        assert str(read[name]).strip() == f"<{request_mail_id(EVENT_ID)}@{domain}>"


def test_attachments_keep_their_bytes() -> None:
    data = bytes(range(256)) * 10
    draft = replace(
        DRAFT, attachments=[Attachment(name="a.log", data=data), Attachment(name="b.log", data=data, compressed=True)]
    )
    parts = list(message_from_bytes(written(draft).message.as_bytes(), policy=default).iter_attachments())
    assert [part.get_filename() for part in parts] == ["a.log", "b.log.gz"]
    assert [part.get_payload(decode=True) for part in parts] == [data, data]


def test_the_same_thing_said_twice_is_the_same_mail() -> None:
    draft = replace(DRAFT, attachments=[Attachment(name="a.log", data=b"log")])
    assert written(draft).message.as_bytes() == written(draft).message.as_bytes()


def test_a_text_and_its_html_are_alternatives_and_attachments_stand_beside_them() -> None:
    draft = replace(DRAFT, html="<p>Text</p>", attachments=[Attachment(name="a.log", data=b"log")])
    mail = written(draft)
    read = message_from_bytes(mail.message.as_bytes(), policy=default)
    assert read.get_content_type() == "multipart/mixed"
    plain, html = read.get_body(("plain",)), read.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert (plain.get_content(), html.get_content()) == ("Text\r\n", "<p>Text</p>\r\n")
    assert written(draft).message.as_bytes() == mail.message.as_bytes()
