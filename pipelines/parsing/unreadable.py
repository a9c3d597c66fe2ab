"""What people are told about a file whose parser failed: the true reason, without a word of its text."""

from __future__ import annotations

import re

from pipelines.parsing.formats import Format
from search_index.errors import DocumentUnreadable

_BEYOND_XML = re.compile(r"huge|excessive depth|entit(?:y|ies).*(?:loop|amplification)|amplification|XML_PARSE_HUGE|nesting", re.IGNORECASE)
_TOO_LARGE = re.compile(r"cells?|too large|exceeds|maximum", re.IGNORECASE)
_EMPTY = "Fill it in, or leave it out."


def from_error(path: str, file_format: Format, error: Exception) -> DocumentUnreadable:
    """The reason behind an error of one of the dozen libraries; their messages are looked at and not shown, for they quote files."""
    kind, message = type(error).__name__, str(error)
    if isinstance(error, TimeoutError):
        return DocumentUnreadable(f"{path} took longer to read than its format may.", "Split the file, or raise the limit in its contract.")
    if isinstance(error, MemoryError) or "bad_alloc" in message or "out of memory" in message.lower():
        return too_much_memory(path)
    if isinstance(error, RecursionError) or isinstance(error.__cause__ or error.__context__, RecursionError):
        return DocumentUnreadable(f"{path} is nested too deeply to be read.", "Flatten it, or leave it out.")
    if isinstance(error, ImportError):
        remedy = f"Run `pip install 'unstructured[{file_format.name}]'`."
        return DocumentUnreadable(f"{path} needs {error.name or 'a package'} to be parsed.", remedy)
    if "encrypt" in f"{kind} {message}".lower() or "password" in message.lower():
        return DocumentUnreadable(f"{path} is encrypted.", "Remove the protection or leave the file out.")
    if kind == "XMLSyntaxError" and _BEYOND_XML.search(message):
        what = f"{path} goes beyond what is safe to read as XML (depth, length of a text, or expansion of entities)."
        return DocumentUnreadable(what, "Split it, write out its entities, or leave it out.")
    if kind == "UnprocessableEntityError" and _TOO_LARGE.search(message):
        return DocumentUnreadable(f"{path} has more cells than are read.", "Remove its empty rows and columns, or split it.")
    what = f"{path} is broken or not {file_format.name} ({kind})."
    return DocumentUnreadable(what, f"Open it in its own program and save it again as {file_format.name}.")


def too_much_memory(path: str) -> DocumentUnreadable:
    """For a file that needs more than the limit of its format."""
    return DocumentUnreadable(f"{path} takes more memory to parse than allowed.", "Split the file, or raise the limit in its contract.")


def without_text(path: str, file_format: Format) -> DocumentUnreadable:
    """For a file that was read, and holds nothing to search."""
    if file_format.reader == "image":
        remedy = "Leave it out, or describe it in a file of its own."
        return DocumentUnreadable(f"{path} is an image in which no text was recognised.", remedy)
    if file_format.reader == "mail":
        return DocumentUnreadable(f"{path} has no subject, text or attachment that can be read.", "Leave it out.")
    return DocumentUnreadable(f"{path} has no text in it.", _EMPTY)
