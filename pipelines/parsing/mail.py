"""Mails: what they say, and the files attached to them, each under its name."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.message import MIMEPart
from io import BytesIO
from mimetypes import guess_extension
from typing import TYPE_CHECKING

from pipelines.parsing.assembly import Metadata, Part, one_line
from pipelines.parsing.encoding import decode, is_utf16
from pipelines.parsing.formats import Format
from pipelines.parsing.reading import Reading
from search_index.errors import DocumentUnreadable
from search_index.model.document import ParsedDocument

if TYPE_CHECKING:
    from unstructured.documents.elements import Element as UnstructuredElement

MOST_ATTACHMENTS = 100
MOST_BYTES = 128 << 20
DEEPEST_MAIL = 2
"""A mail within a mail is read with its attachments; a mail within that is named and not read."""
_DEEPEST_PART = 30
_SHOWN = re.compile(r"cid:([^\"'\s>)]+)", re.IGNORECASE)
_SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}

_SEALED = {"application/pkcs7-mime", "application/x-pkcs7-mime"}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail; a text without a name is a part of the mail itself (``inline``)."""

    name: str
    data: bytes
    inline: bool = False


def attached(data: bytes, file_format: Format) -> Iterator[Attachment]:
    """The files of a mail in their order, without the body, signatures, and the pictures that the body shows in its layout."""
    if file_format.name == "msg":
        yield from _of_outlook(data)
        return
    if is_utf16(data):
        data = decode(data).encode("utf-8", "replace")
    message = email.message_from_bytes(data, policy=email.policy.default)
    body = message.get_body(("html", "plain"))
    shown = set(_SHOWN.findall(_text(body))) if body is not None and body.get_content_subtype() == "html" else set()
    for number, part in enumerate(_leaves(message, body), 1):
        if part is body or part.get_content_type() in _SIGNATURES or str(part.get("Content-ID", "")).strip("<> ") in shown:
            continue
        yield _attachment(part, number)


def read_attached(
    attachments: Iterator[Attachment], reading: Reading, read: Callable[[bytes, Reading], ParsedDocument]
) -> tuple[list[Part], Metadata]:
    """The attachments' elements, and which were read and which could not be.

    Args:
        read: what parses one of them; its titles go one level below the attachment's name.
    """
    parts: list[Part] = []
    read_names: list[str] = []
    unread: list[str] = []
    taken = 0
    for number, attachment in enumerate(attachments):
        taken += len(attachment.data)
        if number >= MOST_ATTACHMENTS or taken > MOST_BYTES:
            unread.append(attachment.name)
            continue
        try:
            document = read(attachment.data, replace(reading, path=attachment.name, depth=reading.depth + 1))
        except DocumentUnreadable:
            if attachment.data and not attachment.inline:
                unread.append(attachment.name)
            continue
        if not attachment.inline:
            read_names.append(attachment.name)
            parts.append(Part("Title", attachment.name, depth=0))
        for element in document.elements:
            text = document.text[element.start : element.end]
            parts.append(Part(element.kind, text, None, None if element.depth is None else element.depth + 1, element.html))
    named = {"attachments": read_names, "attachments_unread": unread[:MOST_ATTACHMENTS]}
    return parts, {key: names for key, names in named.items() if names}


def body_as_text(data: bytes) -> str:
    """The body of a saved mail as plain text, by what its bytes look like where the charset it names does not exist."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    return "" if body is None else _text(body)


def refuse_encrypted(data: bytes, path: str) -> None:
    """Let a saved mail pass that can be read.

    Raises:
        DocumentUnreadable: its body is encrypted (PGP or S/MIME).
    """
    message = email.message_from_bytes(data, policy=email.policy.default)
    enveloped = message.get_content_type() in _SEALED and message.get_param("smime-type", "enveloped-data") != "signed-data"
    if enveloped or message.get_content_type() == "multipart/encrypted":
        raise DocumentUnreadable(f"{path} is encrypted.", "Save it decrypted, or leave it out.")


def mail_metadata(elements: list[UnstructuredElement], data: bytes, file_format: Format) -> Metadata:
    """Subject (as title), people and time; from the headers where the mail has no body that could carry them."""
    if elements:
        about = elements[0].metadata
        fields = {"title": about.subject, "sent_from": about.sent_from, "sent_to": about.sent_to, "sent_at": about.last_modified}
        return {key: value for key, value in fields.items() if value}
    if file_format.name == "msg":
        from oxmsg import Message

        subject = Message.load(BytesIO(data)).subject
        return {"title": subject} if subject else {}
    message = email.message_from_bytes(data, policy=email.policy.default)
    people = {"sent_from": message.get_all("From", []), "sent_to": message.get_all("To", [])}
    found: Metadata = {key: [str(value) for value in values] for key, values in people.items() if values}
    return found | ({"title": str(message["Subject"])} if message["Subject"] else {})


def _leaves(part: MIMEPart, body: MIMEPart | None, depth: int = 0) -> Iterator[MIMEPart]:
    """The parts that are no containers, an attached mail being one part; of alternative texts only the body, or the last."""
    if not part.is_multipart() or part.get_content_maintype() == "message":
        yield part
        return
    if depth > _DEEPEST_PART:
        raise RecursionError
    inner = list(part.iter_parts())
    if part.get_content_subtype() == "alternative":
        texts = [child for child in inner if child.get_content_maintype() == "text"]
        inner = [child for child in inner if child.get_content_maintype() != "text"]
        if not any(child is body for child in texts) and not any(child.is_multipart() for child in inner):
            inner += texts[-1:]
    for child in inner:
        yield from _leaves(child, body, depth + 1)


def _attachment(part: MIMEPart, number: int) -> Attachment:
    name = one_line(part.get_filename() or "").replace("\\", "/").rsplit("/", 1)[-1]
    if part.get_content_maintype() == "message":
        children = part.get_payload()
        inner = children[0] if isinstance(children, list) and children else None
        data = inner.as_bytes() if isinstance(inner, MIMEPart) else b""
        subject = one_line(str(inner["Subject"])) if isinstance(inner, MIMEPart) and inner["Subject"] else ""
        return Attachment(name or f"{subject or f'mail {number}'}.eml", data)
    if part.get_content_maintype() == "text" and part.get_content_subtype() in ("plain", "html"):
        extension = "html" if part.get_content_subtype() == "html" else "txt"
        return Attachment(name or f"part {number}.{extension}", _text(part).encode("utf-8", "replace"), inline=not name)
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    return Attachment(name or f"part {number}{guess_extension(part.get_content_type()) or ''}", data)


def _text(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError, ValueError):  # a made-up charset
        payload = part.get_payload(decode=True)
        return decode(payload) if isinstance(payload, bytes) else ""


def _of_outlook(data: bytes) -> Iterator[Attachment]:
    from oxmsg import Message

    for number, attachment in enumerate(Message.load(BytesIO(data)).attachments, 1):
        name = one_line(attachment.file_name or "").replace("\\", "/").rsplit("/", 1)[-1]
        yield Attachment(name or f"attachment {number}", attachment.file_bytes or b"")
