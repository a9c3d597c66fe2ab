"""Releases and the verdicts that let them go live."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic import JsonValue as Json

from search_index.model.operating import Override
from search_index.model.tenant import DEFAULT_TENANT

Status = Literal["candidate", "live", "retired", "rejected"]
Outcome = Literal["passed", "failed"]
Severity = Literal["error", "warning"]
Stage = Literal["manifest", "documents", "chunks", "vectors"]


def now() -> datetime:
    """The present instant, UTC, to the microsecond."""
    return datetime.now(UTC)


def canonical_json(value: object) -> str:
    """One spelling for one value, so that a digest of it means something."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str, allow_nan=False)


def digest_of(value: object) -> str:
    """sha256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


class TablePin(BaseModel):
    """One source's part of a table: the Delta version it was read at and the digest of its rows.

    The digest decides what a verdict is about; the version says where to read the rows again.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    digest: str
    rows: int


class SourcePin(BaseModel):
    """What a release holds of one source."""

    model_config = ConfigDict(frozen=True)

    contract: str = Field(description="digest of the data contract")
    contract_version: str
    tenant: str = Field(DEFAULT_TENANT, description="whose documents these are, and who alone may read them")
    access: list[str] = Field(description="groups that may read the source, as its contract says")
    checks: list[str] = Field(description="names of the checks that can hold the source")
    manifest: TablePin
    documents: TablePin
    chunks: TablePin
    vectors: TablePin
    chunker: str
    quarantined: int = Field(0, description="documents that could not be read; rows of the documents table, but not served")

    def pin(self, stage: Stage) -> TablePin:
        """The pin of one stage."""
        return {"manifest": self.manifest, "documents": self.documents, "chunks": self.chunks, "vectors": self.vectors}[stage]

    def same_rows(self, other: SourcePin) -> bool:
        """Whether both hold the same content for the same tenant, wherever the tables stand."""
        if self.tenant != other.tenant:
            return False
        return all(self.pin(stage).digest == other.pin(stage).digest for stage in ("documents", "chunks", "vectors"))


class Held(BaseModel):
    """A source that a release goes on without the changes of."""

    model_config = ConfigDict(frozen=True)

    source: str
    reasons: list[str]
    tenant: str | None = Field(None, description="whose it is; null where its contract never said so that it could be read")


class ModelPin(BaseModel):
    """The embedding model a release was made with."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str = Field(description="sha256 of the weights file")
    encoder: str = Field(description="fingerprint of weights, tokenizer, maximum tokens, pooling, runtime and precision")
    runtime: str
    dimension: int


class Counts(BaseModel):
    """What a release holds and what it changed."""

    model_config = ConfigDict(frozen=True)

    documents: int = 0
    chunks: int = 0
    staged: int = 0
    retired: int = 0


class Manifest(BaseModel):
    """Everything that makes a release what it is. Its digest is what verdicts on the candidate are bound to."""

    model_config = ConfigDict(frozen=True)

    revision: int
    parent: int | None = Field(description="the head this was staged against")
    index: str = Field(description="fingerprint of model, chunkers and BM25 settings")
    content: str = Field(description="hash of the candidate's points: ids, payloads, vectors, validity")
    sources: dict[str, SourcePin]
    held: list[Held]
    model: ModelPin
    bm25: dict[str, Json]
    ranking: dict[str, Json]
    golden: str = Field(description="digest of the golden sets")
    counts: Counts
    tenants: dict[str, Counts] = Field(default_factory=dict, description="`counts` of each tenant")
    run_id: str
    created_at: datetime
    retained: list[int] | None = Field(
        None, description="older revisions that the index directory answers for too; None where this was not recorded"
    )
    override: Override | None = Field(None, description="the override that stood when it was staged")

    @property
    def digest(self) -> str:
        """sha256 of the manifest."""
        return digest_of(self.model_dump(mode="json"))

    def sign(self, key: bytes) -> str:
        """HMAC-SHA256 of the manifest's canonical JSON, hexadecimal."""
        return signature_of(canonical_json(self.model_dump(mode="json")), key)


def signature_of(text: str, key: bytes) -> str:
    """HMAC-SHA256 of a text, hexadecimal. What is no manifest begins with a line that says what it is, so that none passes for another."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Verdict(BaseModel):
    """What one check found in exactly these inputs.

    ``subject`` is a source's name, or ``candidate`` for checks on the whole. ``inputs`` are digests: of rows, contract,
    encoder, manifest, and ``code`` (of the check itself). ``evidence`` holds counts and ids, never document text.
    """

    model_config = ConfigDict(frozen=True)

    check: str
    subject: str
    inputs: dict[str, str]
    outcome: Outcome
    severity: Severity
    summary: str
    evidence: dict[str, Json] = Field(default_factory=dict)
    run_id: str
    at: datetime = Field(default_factory=now)
    id: int | None = Field(None, exclude=True, description="the catalog's number for it")

    @property
    def inputs_digest(self) -> str:
        """What the catalog looks a verdict up by."""
        return digest_of(self.inputs)


class ReleaseRecord(BaseModel):
    """A release as the catalog keeps it."""

    model_config = ConfigDict(frozen=True)

    revision: int
    status: Status
    created_at: datetime
    published_at: datetime | None
    run_id: str
    manifest: Manifest | None
    signed_text: str | None = Field(None, exclude=True, repr=False, description="the manifest as it was signed and is stored")
    signature: str | None
    reasons: list[str]
    overridden: list[str] = Field(default_factory=list, description="failed verdicts that an override excused, a sentence each")
    scores: dict[str, Json] = Field(default_factory=dict)

    def signed_by(self, key: bytes) -> bool:
        """Whether the signature is that of the stored text, compared in constant time.

        The text itself is what is signed, not what this version would write: fields that come later leave old signatures whole.
        """
        if self.signed_text is None or self.signature is None:
            return False
        return hmac.compare_digest(signature_of(self.signed_text, key), self.signature)


class Pointer(BaseModel):
    """Which release answers, which one the next is staged against, and whether publishing is paused."""

    model_config = ConfigDict(frozen=True)

    live: int | None
    head: int | None
    paused: str | None = Field(None, description="why publishing is paused, None when it is not")
    updated_at: datetime
