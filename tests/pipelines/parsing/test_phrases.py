"""Is what another program reads in a file also in our text of it?

For each public example, words in a row are taken from the middle of what a second reader finds (pdftotext, antiword, tesseract, Office XML
by lxml, ``html.parser``, the email package, csv, json), and looked for in the parsed document; white space, case, table bars and
hyphens at line ends do not count.
"""

from __future__ import annotations

import csv
import email
import email.policy
import json
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from html.parser import HTMLParser
from io import BytesIO, StringIO
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pypandoc
import pytest
from lxml import etree
from pi_heif import register_heif_opener
from PIL import Image

from pipelines.parsing.encoding import decode
from pipelines.parsing.partition import parse
from search_index.errors import DocumentUnreadable

WORDS = 5
NOT_READ = {
    "eml/empty.eml", "eml/fake-encrypted.eml", "empty.xlsx", "fake-text-all-whitespace.txt", "img/bmp_24.bmp", "img/example.jpg",
    "test-image-jpg-mime.pptx",
}  # fmt: skip
"""Nothing to read: empty, encrypted, or a picture of something that is not text."""
_SILENT = ("script", "style", "head", "template", "noscript")


class Visible(HTMLParser):
    """The text of HTML outside scripts, styles and the head."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)


def of_html(text: str) -> Iterator[str]:
    reader = Visible()
    reader.feed(text)
    yield from reader.texts


def of_command(*arguments: str) -> Iterator[str]:
    yield from subprocess.run(arguments, capture_output=True, check=False).stdout.decode("utf-8", "replace").split("\n\n")


def of_xml(content: bytes, paragraph: str) -> Iterator[str]:
    for element in etree.fromstring(content).iter():
        if isinstance(element.tag, str) and etree.QName(element).localname == paragraph:
            yield "".join(element.itertext())


def of_word(data: bytes) -> Iterator[str]:
    with ZipFile(BytesIO(data)) as archive:
        content = archive.read("word/document.xml")
    for paragraph in etree.fromstring(content).iter("{*}p"):
        texts = paragraph.iter("{*}t")
        yield "".join(text.text or "" for text in texts if next(text.iterancestors("{*}p")) is paragraph)


def of_slides(data: bytes) -> Iterator[str]:
    with ZipFile(BytesIO(data)) as archive:
        for name in sorted(n for n in archive.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", n)):
            yield from of_xml(archive.read(name), "p")


def of_cells(data: bytes) -> Iterator[str]:
    for sheet in openpyxl.load_workbook(BytesIO(data), data_only=True).worksheets:
        for row in sheet.iter_rows(values_only=True):
            yield from (str(cell) for cell in row if isinstance(cell, str))


def of_mail(data: bytes) -> Iterator[str]:
    message = email.message_from_bytes(
        decode(data).encode() if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4] else data, policy=email.policy.default
    )
    body = message.get_body(("html", "plain"))
    for part in [body] if isinstance(body, EmailMessage) else message.walk():
        if part.get_content_maintype() == "text":
            content = str(part.get_content())
            yield from of_html(content) if part.get_content_subtype() == "html" else content.split("\n\n")


def of_json(value: object) -> Iterator[str]:
    match value:
        case dict():
            yield from of_json(value["text"] if isinstance(value.get("text"), str) and value["text"] else list(value.values()))
        case list():
            for item in value:
                yield from of_json(item)
        case str():
            yield value


def of_outlook(data: bytes) -> Iterator[str]:
    """UTF-16 texts as they lie in the file."""
    for run in re.findall(rb"(?:[\x20-\x7e]\x00){20,}", data):
        yield run.decode("utf-16-le")


def of_image(image: Image.Image) -> Iterator[str]:
    """Small images are doubled, as tesseract's manual says; it reads others than these from them."""
    grey, buffer = image.convert("L"), BytesIO()
    if max(grey.size) < 1200:
        grey = grey.resize((grey.width * 2, grey.height * 2))
    grey.save(buffer, "PNG")
    out = subprocess.run(["tesseract", "stdin", "stdout"], input=buffer.getvalue(), capture_output=True, check=True).stdout
    yield from out.decode("utf-8").splitlines()


def of_scan(path: Path) -> Iterator[str]:
    """A scanned page, in the resolution of its picture."""
    out = subprocess.run(["pdftoppm", "-r", "72", "-png", str(path)], capture_output=True, check=True).stdout
    return of_image(Image.open(BytesIO(out)))


def of_pdf(path: Path) -> Iterator[str]:
    lines = [line for text in of_command("pdftotext", str(path), "-") for line in text.splitlines()]
    yield from lines if any(plain(line) for line in lines) else of_scan(path)


def of_rows(text: str, delimiter: str) -> Iterator[str]:
    for row in csv.reader(StringIO(text), delimiter=delimiter):
        yield from row


def of_markup(path: Path) -> Iterator[str]:
    source = "commonmark" if path.suffix == ".md" else path.suffix[1:]
    yield from pypandoc.convert_file(str(path), "plain", format=source, extra_args=["--wrap=none"], sandbox=True).split("\n\n")


def of_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from of_json(json.loads(line)) if line.strip() else ()


def of_text(path: Path) -> Iterator[str]:
    yield from decode(path.read_bytes()).split("\n\n")


READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".pdf": of_pdf,
    ".doc": lambda path: of_command("antiword", str(path)) if shutil.which("antiword") else iter(()),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tiff", ".bmp", ".heic"), lambda path: of_image(Image.open(BytesIO(path.read_bytes())))),
    ".docx": lambda path: of_word(path.read_bytes()),
    ".pptx": lambda path: of_slides(path.read_bytes()),
    ".xlsx": lambda path: of_cells(path.read_bytes()),
    **dict.fromkeys((".html", ".htm"), lambda path: of_html(decode(path.read_bytes()))),
    ".xml": lambda path: (str(text) for text in etree.fromstring(path.read_bytes()).itertext()),
    ".eml": lambda path: of_mail(path.read_bytes()),
    ".msg": lambda path: of_outlook(path.read_bytes()),
    ".csv": lambda path: of_rows(decode(path.read_bytes()), ";" if "semicolon" in path.name else ","),
    ".tsv": lambda path: of_rows(decode(path.read_bytes()), "\t"),
    ".json": lambda path: of_json(json.loads(decode(path.read_bytes()))),
    ".ndjson": lambda path: of_lines(decode(path.read_bytes())),
    **dict.fromkeys((".epub", ".rtf", ".rst", ".org", ".md"), of_markup),
}


def texts_of(path: Path) -> Iterator[str]:
    """What the second reader finds, piece by piece."""
    return READERS.get(path.suffix.lower(), of_text)(path)


def plain(text: str) -> str:
    """Letters and digits alone, in one case: what two programs that read the same words must agree on."""
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())


def phrase_of(texts: list[str], count: int = WORDS) -> str:
    """Words in a row from the piece in the middle of those that are long enough, else the longest piece."""
    long_enough = [
        words for words in (text.split() for text in texts) if len(words) >= count and sum(w.isalpha() for w in words) >= count - 1
    ]
    if long_enough:
        words = long_enough[len(long_enough) // 2]
        start = (len(words) - count) // 2
        return " ".join(words[start : start + count])
    return max((text.strip() for text in texts), key=lambda text: len(plain(text)), default="")


GROUPS = {"images": ({".png", ".jpg", ".jpeg", ".tiff", ".bmp", ".heic"}, 11), "pdf": ({".pdf"}, 20), "mail": ({".eml", ".msg"}, 28)}
"""Suffixes, and how many files of the folder have a phrase."""


FEW_ROUNDS = 3
"""Up to so many rounds only some of what takes long is tried, with more all of it."""


@pytest.mark.slow
@pytest.mark.usefixtures("needs_tesseract", "needs_soffice")
@pytest.mark.parametrize("group", [*GROUPS, "others"])
def test_a_phrase_that_another_program_reads_is_in_the_document(group: str, shared_data: Callable[[str], Path], rounds: int) -> None:
    root = shared_data("file-formats")
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext on the PATH (Debian: poppler-utils)")
    register_heif_opener()
    grouped = {suffix for suffixes, _ in GROUPS.values() for suffix in suffixes}
    suffixes, least = GROUPS.get(group, ({path.suffix for path in root.rglob("*")} - grouped, 88))
    step = 2 if group == "images" and rounds <= FEW_ROUNDS else 1
    tried = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in suffixes)[::step]
    missing, checked, unreadable = [], 0, set()
    for path in tried:
        name = path.relative_to(root).as_posix()
        try:
            document = parse(path.read_bytes(), name)
        except DocumentUnreadable:
            unreadable.add(name)
            continue
        phrase = phrase_of(list(texts_of(path)))
        if not plain(phrase):
            continue
        checked += 1
        if plain(phrase) not in plain(document.text):
            missing.append(f"{name}: {phrase}")
    assert unreadable == NOT_READ & {path.relative_to(root).as_posix() for path in tried}
    assert missing == []
    assert checked >= least // step
