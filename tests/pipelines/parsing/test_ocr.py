from __future__ import annotations

import io
import time

import pptx
import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from pipelines.parsing.ocr import read_image
from pipelines.parsing.partition import parse
from pipelines.parsing.reading import Reading
from quality_checks.contract_terms import Parsing
from search_index.errors import DocumentUnreadable

WORDS = "The harvest festival begins in October"


def picture(text: str = WORDS, mode: str = "RGB", size: tuple[int, int] = (1400, 300)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((40, 100), text, fill="black", font=ImageFont.load_default(60))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scan_pdf(pages: list[str | Image.Image]) -> bytes:
    """A page is a text, or a picture that fills it."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(700, 150))
    for page in pages:
        if isinstance(page, str):
            canvas.drawString(30, 70, page)
        else:
            canvas.drawImage(ImageReader(page), 0, 0, 700, 150)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.usefixtures("needs_tesseract")
@pytest.mark.parametrize(
    ("name", "kind", "mode"),
    [
        ("a.png", "PNG", "RGB"), ("a.png", "PNG", "P"), ("a.png", "PNG", "1"), ("a.png", "PNG", "I;16"), ("a.jpg", "JPEG", "CMYK"),
        ("a.jpeg", "JPEG", "L"), ("a.tif", "TIFF", "RGB"), ("a.bmp", "BMP", "RGB"), ("a.gif", "GIF", "P"), ("a.webp", "WEBP", "RGB"),
    ],
)  # fmt: skip
def test_the_text_of_an_image_is_recognised(name: str, kind: str, mode: str) -> None:
    image = picture(mode="L").point(lambda value: value * 257, "I").convert("I;16") if mode == "I;16" else picture(mode=mode)
    document = parse(saved(image, kind), name)
    assert WORDS in document.text
    assert document.parser.startswith("tesseract")
    assert document.elements[0].page == 1
    assert document.metadata["pages_recognised"] == 1
    assert int(str(document.metadata["recognition_confidence"])) > 80


@pytest.mark.usefixtures("needs_tesseract")
def test_a_picture_taken_sideways_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert WORDS in parse(saved(picture().rotate(90, expand=True), "JPEG", exif=exif), "a.jpg").text


@pytest.mark.usefixtures("needs_tesseract")
def test_black_on_transparent_is_read_on_white() -> None:
    clear = Image.new("RGBA", (1400, 300), (0, 0, 0, 0))
    ImageDraw.Draw(clear).text((40, 100), WORDS, fill=(0, 0, 0, 255), font=ImageFont.load_default(60))
    assert WORDS in parse(saved(clear, "PNG"), "a.png").text


@pytest.mark.usefixtures("needs_tesseract")
def test_the_frames_of_a_tiff_are_its_pages() -> None:
    frames = [picture(f"This is sheet {word}") for word in ("seven", "eight")]
    document = parse(saved(frames[0], "TIFF", save_all=True, append_images=frames[1:]), "fax.tiff")
    assert [element.page for element in document.elements] == [1, 2]
    assert "sheet eight" in document.text


@pytest.mark.usefixtures("needs_tesseract")
def test_scanned_pages_are_read_in_their_place_between_pages_with_text() -> None:
    document = parse(
        scan_pdf(["The first page has a text of its own, as it was written.", picture(), "The third page was written too."]), "a.pdf"
    )
    assert [document.text.count(words) for words in ("first page", WORDS, "third page")] == [1, 1, 1]
    assert document.text.index("first page") < document.text.index(WORDS) < document.text.index("third page")
    assert [element.page for element in document.elements] == sorted(element.page or 0 for element in document.elements)
    assert (document.metadata["pages"], document.metadata["pages_recognised"]) == (3, 1)


@pytest.mark.usefixtures("nothing_installed")
def test_without_tesseract_pages_with_text_remain_and_the_others_are_counted() -> None:
    document = parse(scan_pdf(["The first page has a text of its own, as it was written.", picture()]), "a.pdf")
    assert document.text.startswith("The first page")
    assert document.metadata["pages_unread"] == 1


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", ["a.png", "a.pdf", "a.pptx"])
def test_without_tesseract_a_scan_says_what_to_install(name: str) -> None:
    data = {"a.png": saved(picture(), "PNG"), "a.pdf": scan_pdf([picture()]), "a.pptx": picture_show()}[name]
    with pytest.raises(DocumentUnreadable) as caught:
        parse(data, name)
    assert "tesseract, which would read it, is not installed" in caught.value.what
    assert "apt-get install tesseract-ocr" in caught.value.remedy


def test_a_contract_can_switch_recognition_off() -> None:
    with pytest.raises(DocumentUnreadable, match="text recognition switched off"):
        parse(saved(picture(), "PNG"), "a.png", Parsing(ocr="never"))


@pytest.mark.usefixtures("needs_tesseract")
def test_a_language_that_is_not_installed_is_named_with_its_package() -> None:
    with pytest.raises(DocumentUnreadable, match="lacks the languages xyz") as caught:
        parse(saved(picture(), "PNG"), "a.png", Parsing(languages=("eng", "xyz")))
    assert "tesseract-ocr-xyz" in caught.value.remedy


def picture_show() -> bytes:
    show, buffer = pptx.Presentation(), io.BytesIO()
    slide = show.slides.add_slide(show.slide_layouts[6])
    slide.shapes.add_picture(io.BytesIO(saved(picture(), "PNG")), 0, 0)
    show.save(buffer)
    return buffer.getvalue()


@pytest.mark.usefixtures("needs_tesseract")
def test_slides_that_are_pictures_are_read() -> None:
    assert WORDS in parse(picture_show(), "show.pptx").text


@pytest.mark.usefixtures("needs_tesseract")
def test_an_image_without_text_says_so() -> None:
    with pytest.raises(DocumentUnreadable, match="no text was recognised"):
        parse(saved(Image.new("RGB", (300, 300), "red"), "PNG"), "red.png")


@pytest.mark.usefixtures("needs_tesseract")
def test_an_image_named_for_something_else_is_read_for_what_it_is() -> None:
    document = parse(saved(picture(), "PNG"), "scan.pdf")
    assert (document.mime_type, WORDS in document.text) == ("image/png", True)


@pytest.mark.usefixtures("needs_tesseract")
def test_recognition_ends_with_the_time_of_the_file() -> None:
    with pytest.raises(TimeoutError):
        read_image(saved(picture(), "PNG"), Reading("a.png", Parsing(), deadline=time.monotonic() - 1))
