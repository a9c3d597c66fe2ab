"""Office files in older or rarer formats as the ones of today: through LibreOffice, or by naming their content anew."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from pipelines.parsing.formats import Format
from pipelines.parsing.reading import Reading
from pipelines.parsing.tools import SOFFICE, missing, path_of, run_tool
from search_index.errors import DocumentUnreadable

_RESTART = 81
"""LibreOffice's exit code after it has made its profile."""
_STARTS = 3
_OFFICE = "/org.openoffice.Office"
_SETTINGS = {
    f"{_OFFICE}.Common/Security/Scripting": {
        "DisableMacrosExecution": "true",
        "MacroSecurityLevel": "3",
        "BlockUntrustedRefererLinks": "true",
    },
    f"{_OFFICE}.Writer/Content/Update": {"Link": "0"},
    f"{_OFFICE}.Calc/Content/Update": {"Link": "2"},
    "/org.openoffice.Inet/Settings": {"ooInetProxyType": "2", "ooInetHTTPProxyName": "127.0.0.1", "ooInetHTTPProxyPort": "9"},
}
"""No macros, no updates of links, no fetching of what a file refers to."""
_OLD_MACRO_TYPES = re.compile(
    rb"application/vnd\.(?:ms-(?:word|powerpoint|excel)\.(?:document|template|presentation|slideshow|sheet)\.macroEnabled(?:Template)?\.main"
    rb"|openxmlformats-officedocument\.(?:wordprocessingml\.template|presentationml\.(?:template|slideshow)|spreadsheetml\.template)\.main)\+xml",
    re.IGNORECASE,
)
_MAIN_TYPES = {
    "docx": b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "pptx": b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
    "xlsx": b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
}


def converted(data: bytes, file_format: Format, reading: Reading) -> bytes:
    """The file as ``file_format.read_as``, by LibreOffice with a profile of its own, so that conversions do not meet.

    Raises:
        DocumentUnreadable: LibreOffice is not installed, or cannot open the file.
        TimeoutError: it takes longer than the file may.
    """
    program = path_of(SOFFICE)
    if program is None:
        raise missing(reading.path, f"is in a format ({file_format.name}) that has to be converted", SOFFICE)
    # The start script forks: were it killed, the office would go on. Its binary stands beside the file that the link leads to.
    binary = Path(program).resolve().parent / "soffice.bin"
    with tempfile.TemporaryDirectory(prefix="plumbline-office-") as folder:
        place = Path(folder)
        source, target = place / f"file.{file_format.name}", place / "out" / f"file.{file_format.read_as}"
        source.write_bytes(data)
        profile = place / "profile"
        (profile / "user").mkdir(parents=True)
        (profile / "user" / "registrymodifications.xcu").write_text(_registry(), "utf-8")
        arguments = [
            str(binary) if binary.is_file() else program,
            f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--nologo", "--nolockcheck",
            "--convert-to", file_format.read_as, "--outdir", str(target.parent), str(source),
        ]  # fmt: skip
        for _ in range(_STARTS):
            code, _ = run_tool(arguments, deadline=reading.deadline, cwd=folder)
            if code != _RESTART:
                break
        if not target.is_file():
            raise DocumentUnreadable(
                f"{reading.path} is broken or not {file_format.name}: LibreOffice cannot convert it.",
                f"Open it in its own program and save it as {file_format.read_as}.",
            )
        return target.read_bytes()


def without_macro_type(data: bytes, file_format: Format) -> bytes:
    """A template, slide show or file with macros under the content type of a plain document, which is all that differs for its text."""
    with ZipFile(io.BytesIO(data)) as archive:
        types = archive.read("[Content_Types].xml") if "[Content_Types].xml" in archive.namelist() else b""
        plain = _OLD_MACRO_TYPES.sub(_MAIN_TYPES[file_format.name], types)
        if plain == types:
            return data
        renamed = io.BytesIO()
        with ZipFile(renamed, "w", ZIP_STORED) as copy:
            for member in archive.infolist():
                copy.writestr(member.filename, plain if member.filename == "[Content_Types].xml" else archive.read(member))
    return renamed.getvalue()


def _registry() -> str:
    items = "".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, properties in _SETTINGS.items()
        for name, value in properties.items()
    )
    names = 'xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    return f'<?xml version="1.0" encoding="UTF-8"?><oor:items {names}>{items}</oor:items>'
