from __future__ import annotations

import http.server
import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import docx
import psutil
import pytest

from pipelines.parsing.formats import BY_NAME
from pipelines.parsing.office import converted
from pipelines.parsing.partition import parse
from pipelines.parsing.pool import ParserPool, ParseTask
from pipelines.parsing.reading import Reading, begin
from quality_checks.contract_terms import Parsing
from search_index.errors import DocumentUnreadable
from tests.pipelines.parsing.hostile import repacked, slides, word, workbook

_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def made_by_office(data: bytes, name: str, target: str) -> bytes:
    """A file in another format, by the same program that reads it."""
    return converted(data, BY_NAME[name].__class__(name, "", "office", read_as=target), begin("made", "doc", Parsing()))


@pytest.mark.slow
@pytest.mark.usefixtures("needs_soffice")
@pytest.mark.parametrize(
    ("source", "made_from", "name", "words"),
    [
        (word, "docx", "old.doc", "An ordinary paragraph"),
        (slides, "pptx", "old.ppt", "A slide of ours"),
        (workbook, "xlsx", "old.xls", "Bolt | 2"),
        (workbook, "xlsx", "open.ods", "Bolt | 2"),
        (slides, "pptx", "open.odp", "A slide of ours"),
        (word, "docx", "open.odt", "An ordinary paragraph"),
        (word, "docx", "rich.rtf", "An ordinary paragraph"),
    ],
)
def test_what_libreoffice_writes_is_read(source: Callable[[], bytes], made_from: str, name: str, words: str) -> None:
    extension = name.rsplit(".", 1)[1]
    data = made_by_office(source(), made_from, extension)
    document = parse(data, name)
    assert words in document.text
    assert document.mime_type == BY_NAME[extension].mime_type
    assert parse(data, "without-a-name").text == document.text


@pytest.mark.usefixtures("nothing_installed")
def test_without_libreoffice_an_old_file_says_what_to_install(shared_data: Callable[[str], Path]) -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        parse(shared_data("file-formats/fake.doc").read_bytes(), "fake.doc")
    assert "LibreOffice, which would read it, is not installed" in caught.value.what
    assert "libreoffice-writer-nogui" in caught.value.remedy


@pytest.mark.usefixtures("needs_soffice")
def test_conversion_ends_with_the_time_of_the_file_and_leaves_nothing_running(shared_data: Callable[[str], Path]) -> None:
    data = shared_data("file-formats/fake.doc").read_bytes()
    with pytest.raises(TimeoutError):
        converted(data, BY_NAME["doc"], Reading("fake.doc", Parsing(), deadline=time.monotonic() + 0.5))
    assert not [child for child in psutil.Process().children(recursive=True) if "soffice" in child.name()]


@pytest.mark.slow
@pytest.mark.usefixtures("needs_soffice")
def test_conversions_side_by_side_do_not_meet(shared_data: Callable[[str], Path]) -> None:
    data = shared_data("file-formats/fake.doc").read_bytes()
    with ParserPool(workers=2) as pool:
        outcomes = list(pool.parse_all(ParseTask(str(n), f"{n}.doc", data) for n in range(4)))
    assert [outcome.reason for outcome in outcomes] == [""] * 4


@pytest.mark.slow
@pytest.mark.usefixtures("needs_soffice")
def test_what_a_file_refers_to_is_not_fetched() -> None:
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/pixel.png"

    def link(content: bytes) -> bytes:
        frame = f'<draw:frame svg:width="2cm" svg:height="2cm"><draw:image xlink:href="{address}" xlink:actuate="onLoad"/></draw:frame>'
        return content.replace(b"</draw:page>", frame.encode() + b"</draw:page>")

    try:
        show = repacked(made_by_office(slides(), "pptx", "odp"), "content.xml", link)
        with ZipFile(io.BytesIO(show)) as archive:
            assert address.encode() in archive.read("content.xml")
        assert "A slide of ours" in parse(show, "linked.odp").text
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("with-macros.docm", "application/vnd.ms-word.document.macroEnabled.main+xml"),
        ("template.dotx", "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"),
        ("template.dotm", "application/vnd.ms-word.template.macroEnabledTemplate.main+xml"),
    ],
)
def test_templates_and_files_with_macros_are_read_like_documents(name: str, kind: str) -> None:
    data = repacked(word(), "[Content_Types].xml", lambda content: content.replace(_MAIN.encode(), kind.encode()))
    assert "An ordinary paragraph" in parse(data, name).text


def test_a_slide_show_is_read_like_a_presentation() -> None:
    def show(content: bytes) -> bytes:
        return content.replace(b"presentationml.presentation.main", b"presentationml.slideshow.main")

    assert "A slide of ours" in parse(repacked(slides(), "[Content_Types].xml", show), "show.ppsx").text


def test_headers_are_read() -> None:
    document, buffer = docx.Document(), io.BytesIO()
    document.sections[0].header.paragraphs[0].text = "Confidential draft of the board"
    document.add_paragraph("The body was written here.")
    document.save(buffer)
    text = parse(buffer.getvalue(), "a.docx").text
    assert "The body was written here." in text
    assert "Confidential draft" in text


def test_text_boxes_and_footnotes_are_read_once() -> None:
    names = 'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    box = "<w:txbxContent><w:p><w:r><w:t>Words in a box.</w:t></w:r></w:p></w:txbxContent>"
    shape = f"<mc:AlternateContent {names}><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    line = '<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:t>line</w:t></w:r></w:p></w:footnote>'
    note = '<w:footnote w:id="1"><w:p><w:r><w:t>See the annex.</w:t></w:r></w:p></w:footnote>'
    data = repacked(word(), "word/document.xml", lambda content: content.replace(b"</w:p>", f"<w:r>{shape}</w:r></w:p>".encode(), 1))
    buffer = io.BytesIO(data)
    with ZipFile(buffer, "a") as archive:
        archive.writestr("word/footnotes.xml", f'<w:footnotes xmlns:w="{space}">{line}{note}</w:footnotes>')
    text = parse(buffer.getvalue(), "boxed.docx").text
    assert text.split("\n\n") == ["An ordinary paragraph was written here.", "Words in a box.", "See the annex."]


def test_old_names_do_not_hide_new_files() -> None:
    assert "An ordinary paragraph" in parse(word(), "really-new.doc").text
    assert "Rich words" in parse(rb"{\rtf1\ansi Rich words were written here.}", "really-rich.doc").text
