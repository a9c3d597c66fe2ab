"""Text recognition by tesseract: of images, of the scanned pages of PDFs, of documents that consist of pictures."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import ZipFile

from pipelines.parsing.assembly import Metadata, Part
from pipelines.parsing.pictures import frames
from pipelines.parsing.reading import Reading
from pipelines.parsing.tools import TESSERACT, missing, path_of, run_tool
from search_index.errors import DocumentUnreadable

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PAGES = 500
"""Pages (frames, pictures) of one file whose text is recognised; the time of the file is mostly over before."""
_PICTURE_NAMES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
_LEAST_PICTURE_BYTES = 1024
_BROKEN_WORD = re.compile(r"(?<=[a-zà-öø-ÿ])- (?=[a-zà-öø-ÿ])")
_BETWEEN_CJK = re.compile(r"(?<=[\u3001-\u30ff\u3400-\u9fff\uff01-\uff60]) (?=[\u3001-\u30ff\u3400-\u9fff\uff01-\uff60])")


@dataclass(frozen=True, slots=True)
class Recognised:
    """The paragraphs of an image in reading order; ``confidence`` is tesseract's mean over its words, 0 to 100."""

    paragraphs: tuple[str, ...]
    words: int
    confidence: float


class Recognition:
    """Recognises page after page of one file, and keeps count."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.pages = 0
        self.unread = 0
        self._words = 0
        self._confidence = 0.0

    def parts(self, image: Image, page: int | None) -> list[Part]:
        """The elements of a page; none, and one more page unread, once the file's time or number of pages is used up."""
        if self.unread or self.pages >= MOST_PAGES:
            self.unread += 1
            return []
        try:
            found = recognise(image, self._reading)
        except TimeoutError:
            self.unread += 1
            return []
        self.pages += 1
        self._words += found.words
        self._confidence += found.confidence * found.words
        return [Part(kind, text, page) for kind, text in _kinds(found.paragraphs)]

    def metadata(self) -> Metadata:
        """How many pages were recognised and left out, and how sure tesseract is: below 50, it is mostly another language."""
        if not self.pages:
            return {"pages_unread": self.unread} if self.unread else {}
        about: Metadata = {"pages_recognised": self.pages, "languages_recognised": list(self._reading.parsing.languages)}
        if self._words:
            about["recognition_confidence"] = round(self._confidence / self._words)
        return about | ({"pages_unread": self.unread} if self.unread else {})


def why_not(reading: Reading, what: str) -> DocumentUnreadable | None:
    """The reason why text that ``what`` describes is not recognised here; None where it is."""
    if reading.parsing.ocr == "never":
        remedy = "Set `ocr: auto` in the contract's parsing terms, or leave the file out."
        return DocumentUnreadable(f"{reading.path} {what}, and the contract has text recognition switched off.", remedy)
    program = path_of(TESSERACT)
    if program is None:
        return missing(reading.path, what, TESSERACT)
    lacking = [language for language in reading.parsing.languages if language not in _languages(program)]
    if lacking:
        packages = " ".join(f"tesseract-ocr-{language.replace('_', '-')}" for language in lacking)
        remedy = f"Install them (Debian: `apt-get install {packages}`) or change the contract's `languages`."
        return DocumentUnreadable(f"{reading.path} {what}, and tesseract lacks the languages {', '.join(lacking)}.", remedy)
    return None


def read_image(data: bytes, reading: Reading) -> tuple[list[Part], Metadata]:
    """Parts and metadata of an image file; the frames of a TIFF are its pages.

    Raises:
        DocumentUnreadable: nothing here recognises text, the image is too large or broken, or its time was over at the first page.
    """
    refusal = why_not(reading, "is an image")
    if refusal is not None:
        raise refusal
    recognition = Recognition(reading)
    parts = [part for page, image in enumerate(frames(data, reading.path), 1) for part in recognition.parts(image, page)]
    if recognition.unread and not recognition.pages:
        raise TimeoutError
    return parts, recognition.metadata()


def read_pictures(data: bytes, reading: Reading) -> tuple[list[Part], Metadata]:
    """What is written in the pictures of an Office file or book, for those that have no other text.

    Raises:
        DocumentUnreadable: it has pictures, and nothing here recognises text.
    """
    with ZipFile(BytesIO(data)) as archive:
        members = [m for m in archive.infolist() if m.filename.lower().endswith(_PICTURE_NAMES) and m.file_size >= _LEAST_PICTURE_BYTES]
        pictures = [archive.read(member) for member in members[:MOST_PAGES]]
    if not pictures:
        return [], {}
    refusal = why_not(reading, "has no text but pictures")
    if refusal is not None:
        raise refusal
    recognition = Recognition(reading)
    return [part for image in _opened(pictures, reading.path) for part in recognition.parts(image, None)], recognition.metadata()


def _opened(pictures: Iterable[bytes], path: str) -> Iterable[Image]:
    for picture in pictures:
        try:
            yield from frames(picture, path)
        except DocumentUnreadable:
            continue  # one broken picture does not hide what the others say


def recognise(image: Image, reading: Reading) -> Recognised:
    """The text of one image, in the contract's languages.

    Raises:
        TimeoutError: the file's time is over.
        DocumentUnreadable: tesseract fails.
    """
    program = path_of(TESSERACT)
    if program is None:
        raise missing(reading.path, "is an image", TESSERACT)
    buffer = BytesIO()
    image.save(buffer, "PPM")
    languages = "+".join(reading.parsing.languages)
    code, out = run_tool([program, "stdin", "stdout", "-l", languages, "tsv"], deadline=reading.deadline, stdin=buffer.getvalue())
    if code:
        raise DocumentUnreadable(f"{reading.path} could not be recognised (tesseract ends with {code}).", "Save the image again as PNG.")
    return _from_tsv(out.decode("utf-8", "replace"))


def _from_tsv(table: str) -> Recognised:
    """Words (level 5 of tesseract's TSV: level, page, block, paragraph, line, word, box, confidence, text) as paragraphs."""
    paragraphs: dict[tuple[str, str], list[str]] = {}
    confidences = []
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) == 12 and cells[0] == "5" and cells[11].strip():
            paragraphs.setdefault((cells[2], cells[3]), []).append(cells[11])
            confidences.append(float(cells[10]))
    texts = (_BETWEEN_CJK.sub("", _BROKEN_WORD.sub("", " ".join(words))) for words in paragraphs.values())
    return Recognised(tuple(texts), len(confidences), sum(confidences) / len(confidences) if confidences else 0.0)


def _kinds(paragraphs: Iterable[str]) -> list[tuple[str, str]]:
    """Each paragraph with what unstructured takes it for."""
    from pipelines.parsing.tagger import prepare_unstructured

    prepare_unstructured()
    from unstructured.partition.text import element_from_text

    return [(element_from_text(text).category, text) for text in paragraphs]


@lru_cache(maxsize=4)
def _languages(program: str) -> frozenset[str]:
    listing = subprocess.run([program, "--list-langs"], capture_output=True, timeout=30, check=False)
    return frozenset(listing.stdout.decode("utf-8", "replace").split("\n")[1:])
