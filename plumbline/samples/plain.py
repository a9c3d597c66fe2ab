"""Text, sheets and letters as Markdown, plain text, CSV and EML."""

from __future__ import annotations

import csv as rows
import io
from email import policy
from email.message import EmailMessage

from plumbline.samples.blocks import Letter, Sheet


def plain(text: str) -> bytes:
    """The text itself, as UTF-8, for Markdown and plain text files."""
    return (text.strip() + "\n").encode()


def csv(sheet: Sheet) -> bytes:
    """A comma-separated file with a header line."""
    buffer = io.StringIO(newline="")
    writer = rows.writer(buffer)
    writer.writerow(sheet.header)
    writer.writerows(sheet.rows)
    return buffer.getvalue().encode()


def eml(letter: Letter) -> bytes:
    """A message as a mail server stores it."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = letter.sender
    message["To"] = letter.to
    message["Date"] = letter.date
    message["Subject"] = letter.subject
    message["Message-ID"] = letter.message_id
    message.set_content(letter.body.strip() + "\n", cte="quoted-printable")
    return message.as_bytes()
