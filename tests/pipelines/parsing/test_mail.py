from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from pipelines.parsing.partition import parse
from quality_checks.contract_terms import Parsing
from search_index.errors import DocumentUnreadable
from tests.pipelines.parsing.hostile import long_pdf, word, workbook


def mail(subject: str = "Minutes", body: str = "The minutes are attached to this mail.") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ada <ada@example.org>", "Bob <bob@example.org>", subject
    if body:
        message.set_content(body)
    return message


def test_attachments_are_read_under_their_names() -> None:
    message = mail()
    message.add_attachment(word("The board met in March."), maintype="application", subtype="octet-stream", filename="board.docx")
    message.add_attachment(workbook(), maintype="application", subtype="octet-stream", filename="prices.xlsx")
    document = parse(message.as_bytes(), "mail.eml")
    assert document.title == "Minutes"
    assert document.metadata["attachments"] == ["board.docx", "prices.xlsx"]
    texts = [document.text[e.start : e.end] for e in document.elements]
    assert texts[:3] == ["The minutes are attached to this mail.", "board.docx", "The board met in March."]
    assert "Part | Price\nBolt | 2" in document.text
    assert [e.html is not None for e in document.elements if e.kind == "Table"] == [True]
    titles = {document.text[e.start : e.end]: e.depth for e in document.elements if e.kind == "Title"}
    assert (titles["prices.xlsx"], titles["Prices"]) == (0, 1)


def test_what_cannot_be_read_is_named_and_does_not_fail_the_mail() -> None:
    message = mail()
    message.add_attachment(b"\x00\x01\x02" * 500, maintype="audio", subtype="mpeg", filename="song.mp3")
    message.add_attachment(b"PK\x03\x04 broken", maintype="application", subtype="octet-stream", filename="broken.docx")
    document = parse(message.as_bytes(), "mail.eml")
    assert document.text == "The minutes are attached to this mail."
    assert document.metadata["attachments_unread"] == ["song.mp3", "broken.docx"]
    assert "attachments" not in document.metadata


def test_a_mail_of_attachments_alone_is_read() -> None:
    message = mail(body="")
    message.add_attachment(long_pdf(1), maintype="application", subtype="pdf", filename="report.pdf")
    document = parse(message.as_bytes(), "mail.eml")
    assert (document.title, document.metadata["attachments"]) == ("Minutes", ["report.pdf"])
    assert "sentence stands here" in document.text
    assert document.metadata["sent_from"] == ["Ada <ada@example.org>"]


def test_a_mail_in_a_mail_is_read_with_its_attachments_and_no_deeper() -> None:
    innermost = mail("Innermost", "The innermost words.")
    inner = mail("Inner", "The inner words.")
    inner.add_attachment(b"A note was put in.", maintype="application", subtype="octet-stream", filename="note.txt")
    inner.add_attachment(innermost)
    outer = mail("Outer", "The outer words.")
    outer.add_attachment(inner)
    text = parse(outer.as_bytes(), "outer.eml").text
    assert [words in text for words in ("The outer words.", "The inner words.", "A note was put in.", "The innermost words.")] == [
        True,
        True,
        True,
        False,
    ]


def test_a_contract_can_leave_attachments_out() -> None:
    message = mail()
    message.add_attachment(b"A note was put in.", maintype="application", subtype="octet-stream", filename="note.txt")
    assert "note" not in parse(message.as_bytes(), "mail.eml", Parsing(attachments="leave_out")).text


def test_pictures_that_the_body_shows_are_not_attachments() -> None:
    message = mail()
    message.add_alternative('<p>The minutes are below.</p><img src="cid:logo">', subtype="html")
    [_, html] = message.iter_parts()
    assert isinstance(html, EmailMessage)
    html.add_related(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", cid="<logo>", filename="logo.png")
    document = parse(message.as_bytes(), "mail.eml")
    assert (document.text, "attachments_unread" in document.metadata) == ("The minutes are below.", False)


def test_a_second_text_is_part_of_the_mail() -> None:
    message = mail()
    message.add_attachment("This footer was added by the list.", disposition="inline")
    document = parse(message.as_bytes(), "mail.eml")
    assert document.text == "The minutes are attached to this mail.\n\nThis footer was added by the list."


def test_a_subject_is_text_where_there_is_no_other() -> None:
    assert parse(mail("Lunch on Friday at noon", "").as_bytes(), "mail.eml").text == "Lunch on Friday at noon"


def test_a_made_up_charset_does_not_hide_the_text() -> None:
    head = b"Subject: Hi\r\nContent-Type: text/plain; charset=x-none-such\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    data = head + b"Caf\xc3\xa9 is open today.\r\n"
    assert parse(data, "mail.eml").text == "Café is open today."


def test_an_encrypted_mail_says_so() -> None:
    head = b'Subject: Hi\r\nContent-Type: multipart/encrypted; boundary=b; protocol="application/pgp-encrypted"\r\n\r\n'
    data = head + b"--b\r\n\r\nx\r\n--b--\r\n"
    with pytest.raises(DocumentUnreadable, match="is encrypted"):
        parse(data, "mail.eml")


def test_names_of_attachments_are_only_names() -> None:
    message = mail()
    message.add_attachment(b"A note was put in.", maintype="application", subtype="octet-stream", filename="../../etc/no\tte.txt")
    assert parse(message.as_bytes(), "mail.eml").metadata["attachments"] == ["no te.txt"]


def test_outlook_attachments_are_read(shared_data: Callable[[str], Path]) -> None:
    document = parse(shared_data("file-formats/fake-email-attachment.msg").read_bytes(), "mail.msg")
    assert document.metadata["attachments"] == ["fake-attachment.txt"]
    assert "Hey this is a fake attachment!" in document.text


def test_a_digest_is_read(shared_data: Callable[[str], Path]) -> None:
    document = parse(shared_data("file-formats/eml/mime-multipart-digest.eml").read_bytes(), "digest.eml")
    assert document.text.count("message in the digest") == 3


def test_bytes_of_attachments_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.parsing.mail.MOST_BYTES", 100)
    message = mail()
    for name in ("a.txt", "b.txt"):
        message.add_attachment(b"A note was put in here, too. " * 3, maintype="application", subtype="octet-stream", filename=name)
    document = parse(message.as_bytes(), "mail.eml")
    assert (document.metadata["attachments"], document.metadata["attachments_unread"]) == (["a.txt"], ["b.txt"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_mail_that_was_saved_as_utf_16_is_a_mail(encoding: str) -> None:
    written = (
        "From: a@example.org\nTo: b@example.org\nSubject: The weir\nContent-Type: text/plain; charset=utf-8\n\nThe weir at Über is open.\n"
    )
    document = parse(written.encode(encoding), "saved.eml")
    assert document.title == "The weir"
    assert document.text == "The weir at Über is open."
