"""What was pushed to the double: it waits until a test says that a run took it in."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import httpx

from retrieval_service.client.in_memory_http import Failure, answered, given, problem
from search_index.model.document import document_id, document_uri, sha256
from search_index.model.pushing import PushedDocument, PushedState, PushReceipt, PushRequest, PushStatus, Taken
from search_index.model.release import now


class InMemoryPushes:
    """Documents by address, and receipts. Files are kept and receipted like texts, but have no passages."""

    def __init__(self) -> None:
        self.documents: dict[str, PushedDocument] = {}
        self._receipts: dict[str, PushReceipt] = {}
        self._live: dict[str, int] = {}
        self.held_by: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response | None:
        """What the service answers to what is about pushing; None to everything else."""
        match request.method, request.url.path:
            case "PUT", "/v1/documents":
                return given(PushRequest, request.content, self.put)
            case "DELETE", "/v1/documents":
                asked = request.url.params
                return answered(self.remove(asked["source"], asked.get_list("path")))
            case "GET", path if path.startswith("/v1/pushed/"):
                status = self.status(path.removeprefix("/v1/pushed/"))
                return answered(status) if status else problem(Failure("not-found", 404, "There is no such receipt."))
        return None

    def put(self, request: PushRequest) -> PushReceipt:
        """Take documents in."""
        self.documents |= {document_uri(request.source, document.path): document for document in request.documents}
        return self._receipted(request.source, {document.path: document.model_dump_json() for document in request.documents})

    def remove(self, source: str, paths: Sequence[str]) -> PushReceipt:
        """Take documents away."""
        for path in paths:
            self.documents.pop(document_uri(source, path), None)
        return self._receipted(source, dict.fromkeys(paths))

    def went_live(self, revision: int) -> None:
        """All that was pushed so far is in this release."""
        self.held_by = []
        for receipt in self._receipts:
            self._live.setdefault(receipt, revision)

    def status(self, receipt: str) -> PushStatus | None:
        """What became of a push; None where there was none."""
        known = self._receipts.get(receipt)
        if known is None:
            return None
        release = self._live.get(receipt)
        told = PushedState(uri="", document_id="", sha256=None, state="waiting")
        if release is not None:
            told = told.model_copy(update={"state": "live", "release": release})
        elif self.held_by:
            told = told.model_copy(update={"state": "held", "checks": self.held_by})
        states = [told.model_copy(update=taken.model_dump()) for taken in known.documents]
        return PushStatus(receipt=receipt, source=known.source, at=known.at, live=release is not None, documents=states)

    def _receipted(self, source: str, contents: dict[str, str | None]) -> PushReceipt:
        taken = [
            Taken(
                uri=document_uri(source, path),
                document_id=document_id(source, path),
                sha256=None if content is None else sha256(content),
            )
            for path, content in contents.items()
        ]
        made = PushReceipt(receipt=secrets.token_hex(16), source=source, at=now(), documents=taken)
        self._receipts[made.receipt] = made
        return made
