"""Documents that an application pushes: what it sends, the receipt it gets, and what became of them."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from search_index.model.sent import Sent, at_most

MOST_DOCUMENTS = 100
DEEPEST_PATH = 12
_LONGEST_PART = 200
_MOST_METADATA = 50
_EARLIEST, _LATEST = 1970, 9999
_LEFT_OUT = frozenset({"thumbs.db", "desktop.ini", "__macosx", "__pycache__", "node_modules"})
_LEFT_OUT_ENDINGS = (".tmp", ".part", ".swp")
_EXAMPLE: JsonDict = {
    "source": "tickets",
    "access": ["everyone"],
    "documents": [
        {"path": "2026/4711.txt", "title": "Pump 3 leaks", "text": "The gland packing of pump 3 leaks.", "metadata": {"open": True}}
    ],
}

PushState = Literal["waiting", "ingested", "held", "unreadable", "live"]
Kind = Literal["texts", "files"]


def pushable_path(path: str) -> str:
    """A path that a document can be pushed to: relative, and such that every source lists it.

    Raises:
        ValueError: it is not, and why.
    """
    if path != unicodedata.normalize("NFC", path):
        raise ValueError("a path is Unicode in the form NFC")
    parts = path.split("/")
    if len(parts) > DEEPEST_PATH:
        raise ValueError(f"a path has {DEEPEST_PATH} parts at most")
    for part in parts:
        if not part or part in (".", "..") or part != part.strip():
            raise ValueError(
                "a path is relative: parts with one slash between them, none of them empty, `.` or `..`, no blanks at their ends"
            )
        if not part.isprintable() or "\\" in part or len(part.encode()) > _LONGEST_PART:
            raise ValueError(f"each part of a path is printable, without a backslash, and {_LONGEST_PART} bytes of UTF-8 at most")
        if part.startswith((".", "~$")) or part.lower() in _LEFT_OUT or part.lower().endswith(_LEFT_OUT_ENDINGS):
            raise ValueError(
                "no part of a path is named like a hidden file, an editor's leftover or a folder of programs: those are never read"
            )
    return path


Path = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(pushable_path)]
Group = Annotated[str, StringConstraints(min_length=1, max_length=200)]
SourceName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,63}$")]
Value = (
    Annotated[str, StringConstraints(max_length=2000)]
    | Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(allow_inf_nan=False)]
    | bool
)
_Name = Annotated[str, StringConstraints(pattern="^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class PushedDocument(Sent):
    """One document: a text, with what else is known of it, or a file, which brings that along itself."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Field(description="what it is called in its source; its address is `source:path`")
    text: Annotated[str, StringConstraints(min_length=1)] | None = None
    content: str | None = Field(None, description="the bytes of a file, in base64; its format is told by the path's ending")
    title: Annotated[str, StringConstraints(max_length=1000)] | None = Field(None, description="of a text")
    modified_at: AwareDatetime | None = Field(None, description="default: when it was pushed")
    metadata: Annotated[dict[_Name, Value], BeforeValidator(at_most(_MOST_METADATA))] = Field(
        default_factory=dict, max_length=_MOST_METADATA, description="of a text; what filters can ask for"
    )

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if (self.text is None) == (self.content is None):
            raise ValueError("a document has a `text`, or a `content`")
        if self.content is not None and (self.title is not None or self.metadata):
            raise ValueError("a file brings its own title and metadata")
        if self.text is not None and not self.text.strip():
            raise ValueError("a text has something in it")
        if self.modified_at is not None and not _EARLIEST <= self.modified_at.year < _LATEST:
            raise ValueError(f"`modified_at` lies between the years {_EARLIEST} and {_LATEST}")
        if reserved := sorted({"id", "title", "text", "source", "uri", "access", "document_id", "chunk_id"} & self.metadata.keys()):
            raise ValueError(f"metadata may not set {reserved[0]}")
        self.file_bytes()
        return self

    def file_bytes(self) -> bytes | None:
        """The bytes of a file; None of a text.

        Raises:
            ValueError: they are not base64, or there are none.
        """
        if self.content is None:
            return None
        try:
            found = base64.b64decode(self.content, validate=True)
        except binascii.Error:
            raise ValueError("`content` is base64, as RFC 4648 has it") from None
        if not found:
            raise ValueError("a file has something in it")
        return found


class PushRequest(Sent):
    """Documents for one source, which is made with the first of them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    source: SourceName
    access: list[Group] | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="groups that may read the source, each one that you are in; the first push has to say it",
    )
    documents: list[PushedDocument] = Field(min_length=1, max_length=MOST_DOCUMENTS, fail_fast=True)

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if len({each.path for each in self.documents}) < len(self.documents):
            raise ValueError("each path stands once")
        if len({each.text is None for each in self.documents}) > 1:
            raise ValueError("a source holds texts or files: push them to two sources")
        return self

    @property
    def kind(self) -> Kind:
        """What the source holds."""
        return "files" if self.documents[0].text is None else "texts"


class Taken(BaseModel):
    """One document that was taken, or taken away."""

    uri: str
    document_id: str
    sha256: str | None = Field(description="of what is read when it is ingested, as hits name it in `provenance.raw_sha256`; null: removed")


class PushReceipt(BaseModel):
    """That documents lie safely where the next run finds them. They are not searchable yet."""

    receipt: str = Field(description="`GET /v1/pushed/{receipt}` says what became of them")
    source: str
    at: datetime
    documents: list[Taken]


class PushedState(Taken):
    """What became of one document."""

    state: PushState = Field(
        description="`waiting` for a run; `ingested`: read, and not yet in a release; `held`: a check keeps its source back; `unreadable`:"
        " the live release was made with it, and nothing of it is to be seen, since it was quarantined, withheld or replaced; `live`:"
        " searchable as it was pushed, or gone where it was removed"
    )
    release: int | None = Field(None, description="the first release that is so; null while it is not live")
    checks: list[str] = Field(default_factory=list, description="that keep the source back")


class PushStatus(BaseModel):
    """What became of a push."""

    receipt: str
    source: str
    at: datetime
    live: bool = Field(description="whether all of them are")
    documents: list[PushedState]
