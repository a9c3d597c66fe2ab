"""A home: the catalog, the engine, the key and the models that belong together, opened from settings."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from search_index.adapter import load_adapter
from search_index.catalog import Catalog
from search_index.cross_encoder import CrossEncoderReranker, load_reranker, store_reranker
from search_index.embedding import Encoder
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import Engine, IndexReader
from search_index.errors import HomeDamaged, ModelMismatch, NothingPublished, ReleaseUntrusted, WrongUsage
from search_index.fusion import Ranking
from search_index.model.release import Manifest, ModelPin, ReleaseRecord
from search_index.model.search import ReleaseRef
from search_index.reranking import Reranking
from search_index.searcher import Searcher
from search_index.settings import Settings
from search_index.withholding import AsTheCatalogSays, Withholding


class Home:
    """Everything one home holds. Parts are opened when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._encoders: dict[str, Encoder] = {}
        self._rerankers: dict[str, CrossEncoderReranker] = {}
        self.withholding: Withholding = AsTheCatalogSays(lambda: self.catalog)
        """Asked by every searcher of a release that this home opens. The service puts one here that reads beside its requests."""

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog, made when it is not there."""
        return Catalog.open(self.settings.catalog_url, self.signing_key)

    @cached_property
    def engine(self) -> Engine:
        """The engine that settings ask for: a Qdrant server's where they name one, the embedded one where they do not."""
        settings = self.settings
        if settings.qdrant_url is None:
            return EmbeddedEngine(settings.root / "index")
        from search_index.engine import server_client
        from search_index.engine.server import ServerEngine

        server = server_client.Server(
            settings.qdrant_url, settings.qdrant_prefix, settings.qdrant_api_key, settings.qdrant_timeout, settings.qdrant_write_timeout
        )
        return ServerEngine(server, settings.ledgers, server_client.connect)

    def close(self) -> None:
        """Let go of the catalog and the engine, where they were ever asked for. Readers of a server's engine are of no use afterwards."""
        for part in ("catalog", "engine"):
            if part in self.__dict__:
                self.__dict__.pop(part).close()

    def signing_key(self) -> bytes:
        """The key that signs releases, kept apart from the catalog; made at first use, readable by its owner only."""
        if self.settings.signing_key:
            try:
                return bytes.fromhex(self.settings.signing_key)
            except ValueError as e:
                raise WrongUsage("PLUMBLINE_SIGNING_KEY is not hexadecimal.", "Make one with `openssl rand -hex 32`.") from e
        path = self.settings.root / "signing.key"
        try:
            return bytes.fromhex(path.read_text())
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            key = secrets.token_bytes(32)
            partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}")  # two threads of one process may be first
            partial.write_text(key.hex())
            partial.chmod(0o600)
            try:
                os.link(partial, path)  # only the first of two writers wins
            except FileExistsError:
                key = bytes.fromhex(path.read_text())
            finally:
                partial.unlink()
            return key
        except (OSError, ValueError) as e:
            raise HomeDamaged(
                f"The signing key {path} cannot be read: {e}.", "Put back a copy of it, or remove it and publish anew."
            ) from e

    def encoder(self, pin: ModelPin) -> Encoder:
        """The encoder a release was made with.

        Errors:
            ModelMismatch: no exported graph in this home has that fingerprint.
        """
        if pin.encoder not in self._encoders:
            found = next((f for f in encoder_folders(self.settings.models_dir) if Encoder.fingerprint_of(f) == pin.encoder), None)
            if found is None:
                raise ModelMismatch(
                    f"The graph of {pin.name} ({pin.encoder[:12]}) that the release was made with is not in {self.settings.models_dir}.",
                    "Run `plumbline ingest`, which exports it again, or put the folder back.",
                )
            self._encoders[pin.encoder] = Encoder.load(found)
        return self._encoders[pin.encoder]

    def wanted_reranking(self) -> Reranking | None:
        """The reranking that settings ask for, its model's files kept in the home; None where they ask for none.

        Errors:
            WrongUsage: there is no such folder, or it holds no cross-encoder.
            DiskFull: there is no room for the copy.
        """
        if self.settings.reranker is None:
            return None
        folder = self.settings.reranker.expanduser().resolve()
        return Reranking(model=store_reranker(folder, self.settings.rerankers_dir), name=folder.name, top=self.settings.rerank_top)

    def reranker(self, pin: Reranking) -> CrossEncoderReranker:
        """The reranker a release pins.

        Errors:
            HomeDamaged, ReleaseUntrusted, ModelMismatch: as ``load_reranker``.
        """
        if pin.model not in self._rerankers:
            self._rerankers[pin.model] = load_reranker(self.settings.rerankers_dir, pin.model)
        return self._rerankers[pin.model]


def encoder_folders(models: Path) -> list[Path]:
    """Folders below ``models`` that hold an exported graph."""
    return sorted(p.parent for p in models.glob("*/encoder.json"))


@dataclass(frozen=True)
class LoadedRelease:
    """A release that is open for search."""

    record: ReleaseRecord
    manifest: Manifest
    searcher: Searcher
    reader: IndexReader
    also_close: Callable[[], None] | None = None

    @property
    def ref(self) -> ReleaseRef:
        """How answers name it."""
        return release_ref(self.record)

    def close(self) -> None:
        """Let go of the index, once nobody reads it."""
        self.reader.close()
        if self.also_close is not None:
            self.also_close()


def release_ref(record: ReleaseRecord) -> ReleaseRef:
    """How answers name a release."""
    index = record.manifest.index if record.manifest else ""
    return ReleaseRef(revision=record.revision, index=index, run_id=record.run_id, published_at=record.published_at)


def trusted_manifest(home: Home, record: ReleaseRecord) -> Manifest:
    """A release's manifest, once its signature holds.

    Errors:
        ReleaseUntrusted: it is missing, unsigned, or was altered since it was signed.
    """
    manifest = record.manifest
    if manifest is None or manifest.revision != record.revision or not record.signed_by(home.signing_key()):
        raise ReleaseUntrusted(
            f"The manifest of release {record.revision} is not what was signed.",
            "Roll back to another release with `plumbline releases rollback`, or run `plumbline ingest` for a new one.",
        )
    return manifest


def newest_with_index(home: Home, index: str) -> ReleaseRecord:
    """The newest published release of an index: its directory holds the history of all before it."""
    for record in home.catalog.releases(limit=1000, published_only=True):
        if record.manifest is not None and record.manifest.index == index:
            return record
    raise NothingPublished(f"No release of index {index[:12]} is published.", "Run `plumbline ingest` first.")


def searcher_of(home: Home, manifest: Manifest, reader: IndexReader) -> Searcher:
    """The searcher a release pins: its model, its ranking and, where it has them, its query adapter and its reranker.

    It never shows what the home's overlay withholds.

    Errors:
        ModelMismatch: the model's graph is not here, the adapter does not fit it, or the reranker cannot be run.
        HomeDamaged: the files of the adapter or the reranker are missing.
        ReleaseUntrusted: their bytes are not those that were signed.
    """
    ranking = Ranking.model_validate(manifest.ranking)
    adapter = load_adapter(home.settings.adapters_dir, ranking.adapter, manifest.model.dimension) if ranking.adapter else None
    reranker = home.reranker(ranking.reranking) if ranking.reranking else None
    return Searcher(reader, home.encoder(manifest.model), ranking, adapter, reranker, home.withholding)


def open_release(home: Home, record: ReleaseRecord) -> LoadedRelease:
    """Open a published release for search, whatever is the head.

    Errors:
        ReleaseUntrusted: its signature, the content hash of the directory that holds it, or that of its query adapter or reranker does not
            hold.
        HomeDamaged: the directory, the adapter or the reranker cannot be loaded.
    """
    manifest = trusted_manifest(home, record)
    newest = newest_with_index(home, manifest.index)
    newest_manifest = trusted_manifest(home, newest)
    reader = home.engine.open(manifest.index, newest.revision, head=newest.revision)
    try:
        if reader.content != newest_manifest.content:
            raise ReleaseUntrusted(
                f"The index directory of release {newest.revision} does not hold what its manifest says.",
                "Run `plumbline doctor` for details and `plumbline releases rebuild` to make it again.",
            )
        searcher = searcher_of(home, manifest, reader)
    except BaseException:
        reader.close()
        raise
    return LoadedRelease(record=record, manifest=manifest, searcher=searcher, reader=reader)
