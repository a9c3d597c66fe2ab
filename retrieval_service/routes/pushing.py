"""``PUT /v1/documents``: applications that push; ``GET /v1/pushed/{receipt}``: what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from retrieval_service.access import require
from retrieval_service.deps import CountDep, LiveDep, PrincipalDep, SettingsDep, TelemetryDep
from retrieval_service.pushing import status_of, take, take_away
from search_index.model.pushing import MOST_DOCUMENTS, PushReceipt, PushRequest, PushStatus, SourceName
from search_index.model.pushing import Path as DocumentPath

router = APIRouter(tags=["pushing"])


@router.put("/v1/documents", status_code=202, summary="Push documents", operation_id="put_documents")
def put_documents(
    request: PushRequest, settings: SettingsDep, principal: PrincipalDep, count: CountDep, telemetry: TelemetryDep
) -> PushReceipt:
    """Put up to 100 texts or files into a source that is only pushed to; each takes the place of what stood at its path.

    The first push makes the source and its contract, with the `access` that it names. The documents are on the disk when this answers, and
    go live with a release, through the same gates as any others. The receipt tells when.
    """
    require(principal, "push")
    count(len(request.documents) - 1)
    receipt = take(request, principal, settings)
    telemetry.log.info("pushed", source=receipt.source, documents=len(receipt.documents))
    return receipt


@router.delete("/v1/documents", status_code=202, summary="Take pushed documents away", operation_id="delete_documents")
def delete_documents(
    settings: SettingsDep,
    principal: PrincipalDep,
    telemetry: TelemetryDep,
    source: Annotated[SourceName, Query()],
    path: Annotated[list[DocumentPath], Query(min_length=1, max_length=MOST_DOCUMENTS, description="once for each document")],
) -> PushReceipt:
    """Take documents out of a source that is pushed to. What is not there is gone already. They stay searchable until the next release."""
    require(principal, "push")
    receipt = take_away(source, path, principal, settings)
    telemetry.log.info("taken away", source=receipt.source, documents=len(receipt.documents))
    return receipt


@router.get("/v1/pushed/{receipt}", summary="What became of a push", operation_id="get_pushed")
def get_pushed(receipt: Annotated[str, Path(max_length=100)], settings: SettingsDep, principal: PrincipalDep, live: LiveDep) -> PushStatus:
    """How far each document is: waiting, ingested, held by a check, unreadable, or live and in which release."""
    require(principal, "push")
    return status_of(receipt, principal, live, settings)
