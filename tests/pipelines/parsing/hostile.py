"""Files that are made to break their parsers: each is small to make, and must end in a clear state within its limits."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from zipfile import ZIP_DEFLATED, ZipFile

import docx
import pptx
import xlsxwriter

_MIB = 1 << 20


def word(text: str = "An ordinary paragraph was written here.") -> bytes:
    document, buffer = docx.Document(), io.BytesIO()
    document.add_paragraph(text)
    document.save(buffer)
    return buffer.getvalue()


def slides() -> bytes:
    show, buffer = pptx.Presentation(), io.BytesIO()
    show.slides.add_slide(show.slide_layouts[5]).shapes.title.text = "A slide of ours"
    show.save(buffer)
    return buffer.getvalue()


def workbook(dimension: str = "") -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        sheet = book.add_worksheet("Prices")
        sheet.write_row(0, 0, ["Part", "Price"])
        sheet.write_row(1, 0, ["Bolt", 2])
        if dimension == "far":
            sheet.write(1_048_575, 16_383, "the end")
    return buffer.getvalue()


def repacked(ordinary: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(io.BytesIO(ordinary)) as source, ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=1) as target:
        for name in source.namelist():
            target.writestr(name, change(source.read(name)) if name == member else source.read(name))
    return buffer.getvalue()


def zip_bomb(ordinary: bytes, member: str, size: int) -> bytes:
    """A small file of which one member is ``size`` bytes once unpacked."""
    return repacked(ordinary, member, lambda content: b" " * size + content)


def encrypted_office(ordinary: bytes) -> bytes:
    from msoffcrypto.format.ooxml import OOXMLFile

    buffer = io.BytesIO()
    OOXMLFile(io.BytesIO(ordinary)).encrypt("secret", buffer)
    return buffer.getvalue()


def encrypted_zip(ordinary: bytes) -> bytes:
    """The bit that says so, set in every header."""
    data = bytearray(ordinary)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(signature, at + 4)
    return bytes(data)


def encrypted_pdf() -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, encrypt=StandardEncryption("secret", canPrint=0))
    canvas.drawString(72, 700, "Nobody reads this.")
    canvas.save()
    return buffer.getvalue()


def long_pdf(pages: int) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for number in range(1, pages + 1):
        for line in range(4):
            words = " ".join(f"{(number * 7919 + line * 104729 + k * 1299709) % 99991:x}w" for k in range(8))
            canvas.drawString(72, 700 - 14 * line, f"The {words} sentence stands here.")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def endless_pages() -> bytes:
    """A PDF whose tree of pages holds itself."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 100000000/Kids[2 0 R 2 0 R]>>endobj\n"
        b"trailer<</Root 1 0 R>>\n%%EOF"
    )


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00" * 1000)) + chunk(b"IEND", b"")


def billion_laughs() -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{levels}]><x><p>Some text.</p><p>&l9;</p></x>'.encode()


def quadratic_blowup() -> bytes:
    return ('<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "' + "a" * 60_000 + '">]><x>' + "&a;" * 60_000 + "</x>").encode()


def external_entity(target: str) -> bytes:
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{target}">]><x><p>Before it.</p><p>&e;</p></x>'.encode()


def nested_mails(depth: int) -> bytes:
    mail = b"Subject: innermost\r\n\r\nThe innermost mail was read.\r\n"
    for level in range(depth):
        boundary = f"b{level}".encode()
        mail = (
            b"Subject: level\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=" + boundary
            + b"\r\n\r\n--" + boundary + b"\r\nContent-Type: message/rfc822\r\n\r\n" + mail + b"\r\n--" + boundary + b"--\r\n"
        )  # fmt: skip
    return mail


def ragged_cells() -> bytes:
    """A sheet whose cells stand at the corners of all there can be."""
    return workbook("far")


def document_with_entity(target: str) -> bytes:
    declaration = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{target}">]>'.encode()

    def insert(content: bytes) -> bytes:
        body = content[content.index(b"?>") + 2 :]
        return declaration + body.replace(b"An ordinary", b"An &e; ordinary")

    return repacked(word(), "word/document.xml", insert)


def cases(secret: str) -> dict[str, tuple[str, Callable[[], bytes]]]:
    """What each is called in the table -> name of its file and what makes it. ``secret`` is a file that must not be read."""
    return {
        "Word, 400 MiB of blanks in 2 MB": ("bomb.docx", lambda: zip_bomb(word(), "word/document.xml", 400 * _MIB)),
        "Excel, 400 MiB of blanks in 2 MB": ("bomb.xlsx", lambda: zip_bomb(workbook(), "xl/worksheets/sheet1.xml", 400 * _MIB)),
        "XML, billion laughs": ("laughs.xml", billion_laughs),
        "XML, quadratic blow-up": ("blowup.xml", quadratic_blowup),
        "XML, external entity": ("entity.xml", lambda: external_entity(secret)),
        "Word, external entity": ("entity.docx", lambda: document_with_entity(secret)),
        "reStructuredText including a file": ("include.rst", f"Title\n=====\n\nText.\n\n.. include:: {secret}\n".encode),
        "Org including a file": ("include.org", f'* Title\nText.\n#+INCLUDE: "{secret}"\n'.encode),
        "HTML nested 100,000 deep": ("deep.html", lambda: b"<div>" * 100_000 + b"text" + b"</div>" * 100_000),
        "HTML, 5,000 tables one in another": ("tables.html", lambda: b"<table><tr><td>cell" * 5_000),
        "JSON nested 100,000 deep": ("deep.json", lambda: b"[" * 100_000 + b'"x"' + b"]" * 100_000),
        "XML nested 100,000 deep": ("deep.xml", lambda: b"<a>" * 100_000 + b"text" + b"</a>" * 100_000),
        "50 mails one in another": ("deep.eml", lambda: nested_mails(50)),
        "Word with a password": ("locked.docx", lambda: encrypted_office(word())),
        "Excel with a password": ("locked.xlsx", lambda: encrypted_office(workbook())),
        "PowerPoint with a password": ("locked.pptx", lambda: encrypted_office(slides())),
        "PDF with a password": ("locked.pdf", encrypted_pdf),
        "EPUB in an encrypted zip": ("locked.epub", lambda: encrypted_zip(word())),
        "PDF of 10,000 pages": ("long.pdf", lambda: long_pdf(10_000)),
        "PDF whose pages hold themselves": ("loop.pdf", endless_pages),
        "Word cut in half": ("half.docx", lambda: word()[:15_000]),
        "Excel cut in half": ("half.xlsx", lambda: workbook()[:3_000]),
        "PDF cut in half": ("half.pdf", lambda: long_pdf(20)[:3_000]),
        "Text, 100 MB in one line": ("line.txt", lambda: b"word and another " * 6_000_000),
        "CSV, 5 MB in one line": ("line.csv", lambda: b"a,b\n" + b"1," * 2_500_000),
        "PNG named .pdf": ("scan.pdf", lambda: png_claiming(100, 100)),
        "PDF named .docx": ("report.docx", lambda: long_pdf(2)),
        "PNG claiming 65,000 x 65,000 pixels": ("bomb.png", lambda: png_claiming(65_000, 65_000)),
        "Text with NUL bytes": ("nul.txt", lambda: b"Some text was \x00\x00\x00 written here.\x00" * 100),
        "Nothing but NUL bytes": ("nul.md", lambda: b"\x00" * 100_000),
        "Excel with cells at both ends of a sheet": ("far.xlsx", ragged_cells),
        "Markdown, 100,000 opening brackets": ("brackets.md", lambda: b"[" * 100_000 + b"a"),
        "Markdown, 50,000 emphasis marks": ("emphasis.md", lambda: b"*a **b " * 50_000),
        "MDX, one tag of 200,000 attributes": ("tag.mdx", lambda: b"<Tab " + b"a=" * 200_000 + b"\n\ntext"),
        "MDX, 100,000 opening comments": ("comments.mdx", lambda: b"{/* " * 100_000 + b"text"),
        "MDX, 20,000 open braces in a tag": ("braces.mdx", lambda: b"<Tab x={" + b"{" * 20_000 + b"\ntext"),
        "Front matter, YAML laughs": ("laughs.md", _yaml_laughs),
    }


def _yaml_laughs() -> bytes:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10))
    return f"---\nl0: &l0 [a]\n{levels}\n---\n# Heading\n\nThe text was written here.\n".encode()
