"""What a data contract says, read and checked: the terms that the lanes work by."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from quality_checks.rules import QualityRule
from search_index.model.search import EVERYONE, Scalar
from search_index.model.tenant import DEFAULT_TENANT

SourceFormat = Literal["files", "records", "website"]
_MIB = 1 << 20


class RecordMapping(BaseModel):
    """Which fields of a record (of JSON Lines, CSV or Parquet) are the document's id, title, text and time.

    ``metadata`` names the fields to keep as metadata; without it every scalar field that is not used otherwise is kept.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    text: str
    title: str | None = None
    modified_at: str | None = None
    metadata: tuple[str, ...] | None = None


class Website(BaseModel):
    """How a website is read: from its sitemap, and politely."""

    model_config = ConfigDict(frozen=True)

    sitemap: str | None = None
    requests_per_second: float = 1.0
    max_pages: int = 10_000
    timeout_s: float = 30.0


class Limits(BaseModel):
    """How much of a source is taken: bytes a file, files, and folders below the root."""

    model_config = ConfigDict(frozen=True)

    file_bytes: int = 256 * _MIB
    files: int = 1_000_000
    depth: int = 64


class FormatLimit(BaseModel):
    """What parsing one file of a format may take; None: the default of the format."""

    model_config = ConfigDict(frozen=True)

    seconds: float | None = None
    memory_mb: int | None = None


class Parsing(BaseModel):
    """How a source's files are read.

    ``pdf``: ``pypdfium2``, or a strategy of unstructured (``fast``, ``ocr_only``, ``hi_res``), which needs its extra.
    ``ocr``: ``auto`` recognises the text of images and of scanned pages where tesseract is installed, ``never`` leaves it.
    ``languages``: tesseract's names. ``limits``: by the name of a format, or ``default``.
    """

    model_config = ConfigDict(frozen=True)

    pdf: Literal["pypdfium2", "fast", "ocr_only", "hi_res"] = "pypdfium2"
    ocr: Literal["auto", "never"] = "auto"
    languages: tuple[str, ...] = ("eng",)
    attachments: Literal["include", "leave_out"] = "include"
    limits: dict[str, FormatLimit] = {}


class Chunking(BaseModel):
    """How a source's documents are cut; tokens are the encoder's, special tokens and header included."""

    model_config = ConfigDict(frozen=True)

    max_tokens: int = 256
    overlap_tokens: int = 32
    strategy: Literal["by_title", "by_page", "fixed"] = "by_title"


class NearDuplicates(BaseModel):
    """What is done with documents that are nearly the same: ``keep`` all, ``mark`` them, or ``index_once`` and show all places.

    ``threshold`` is the Jaccard similarity of their word shingles from which they count.
    """

    model_config = ConfigDict(frozen=True)

    policy: Literal["keep", "mark", "index_once"] = "keep"
    threshold: float = 0.9


class Privacy(BaseModel):
    """What a source holds, in the words of those who must protect it."""

    model_config = ConfigDict(frozen=True)

    classification: Literal["public", "internal", "confidential", "restricted"] = "internal"
    personal_data: bool = False
    legal_basis: str | None = None


class Contract(BaseModel):
    """A source's data contract, read and checked.

    ``digest`` is the sha256 of the file's content as canonical JSON, before variables are put in, so that it is the same on
    every machine. ``location`` is an absolute path, an fsspec URL, or what a source of type ``custom`` understands.
    ``freshness_sla`` is the standard's ``latency``, or ``frequency`` without one; ``frequency`` is how often something in the source
    changes. ``removal_threshold`` is the share of documents that may vanish at once. ``partitioned``: the lane is split into Dagster
    partitions, for a source too large for one run.
    ``tenant``: whose documents these are, and who alone may read them.
    ``languages``: ISO 639-1 codes of those that its documents are written in; empty where it does not say.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    tenant: str = DEFAULT_TENANT
    version: str
    digest: str
    status: str
    owner: str
    domain: str | None = None
    description: str = ""
    usage: str = ""
    limitations: str = ""
    server_type: str = "local"
    location: str
    endpoint_url: str | None = None
    format: SourceFormat = "files"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limits: Limits = Limits()
    records: RecordMapping | None = None
    website: Website | None = None
    options: dict[str, Scalar] = {}
    parsing: Parsing = Parsing()
    freshness_sla: timedelta | None = None
    frequency: timedelta | None = None
    retention: timedelta | None = None
    access_groups: tuple[str, ...] = (EVERYONE,)
    chunking: Chunking = Chunking()
    near_duplicates: NearDuplicates = NearDuplicates()
    partitioned: bool = False
    privacy: Privacy = Privacy()
    removal_threshold: float = 0.5
    golden: str | None = None
    languages: tuple[str, ...] = ()
    rules: tuple[QualityRule, ...] = ()
    tags: dict[str, str] = {}
    metadata: dict[str, Scalar | list[str]] = {}
