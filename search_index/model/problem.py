"""What went wrong with a request, as it is answered (RFC 9457)."""

from __future__ import annotations

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    """One field of a request that does not validate."""

    field: str = Field(description="where it stands, e.g. `body.filters.sources`", examples=["body.limit"])
    message: str = Field(examples=["Input should be less than or equal to 100"])


class Problem(BaseModel):
    """What went wrong and what to do, as RFC 9457 lays it out."""

    type: str = Field(description="names the class of problem", examples=["urn:plumbline:problem:nothing-published"])
    title: str = Field(examples=["Nothing published"])
    status: int = Field(examples=[503])
    detail: str = Field(examples=["Nothing is published yet."])
    remedy: str = Field("", description="what to do about it", examples=["Run `plumbline ingest PATH` first."])
    request_id: str = Field(description="also in the header `X-Request-Id` and in the service's log")
    errors: list[FieldProblem] | None = Field(None, description="the fields that do not validate")
