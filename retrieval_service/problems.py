"""Every error leaves the service as ``application/problem+json`` (RFC 9457), with what to do about it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from retrieval_service.telemetry import request_id_of, telemetry_of
from search_index.errors import PlumblineError
from search_index.model.problem import FieldProblem, Problem
from search_index.model.search import Principal

MEDIA_TYPE = "application/problem+json"
FIELDS_SHOWN = 50
"""Fields that one problem lists: a body of a megabyte may have a hundred thousand that do not validate."""
LONGEST_FIELD = 200
"""Code points of a field's place, and of what is said of it; both may hold what was sent."""
RETRY_AFTER = {
    "access-unknown": "1",
    "overloaded": "1",
    "release-loading": "1",
    "starting": "1",
    "nothing-published": "5",
    "overlay-unreadable": "1",
}
"""Seconds after which asking again makes sense, by slug."""
OF_THE_HOUSE = frozenset({"home-damaged", "server-unavailable", "disk-full", "release-untrusted", "model-mismatch"})


class AnsweredWith(PlumblineError):
    """An error whose answer has headers of its own."""

    def __init__(self, what: str, remedy: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(what, remedy)
        self.headers = dict(headers or {})


class Forbidden(PlumblineError):
    """The principal lacks the scope this takes."""

    slug = "forbidden"
    status = 403


class Overloaded(PlumblineError):
    """More searches are waiting than can be answered in reasonable time."""

    slug = "overloaded"
    status = 503


class ReleaseLoading(PlumblineError):
    """A release was published a moment ago and this process has not loaded it yet."""

    slug = "release-loading"
    status = 503


class Starting(PlumblineError):
    """The service has not finished its first look at the catalog."""

    slug = "starting"
    status = 503


def problem_response(
    request_id: str,
    slug: str,
    status: int,
    detail: str,
    remedy: str = "",
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem as an HTTP response; ``title`` is the slug in words."""
    problem = Problem(
        type=f"urn:plumbline:problem:{slug}",
        title=slug.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        remedy=remedy,
        request_id=request_id,
        errors=errors,
    )
    retry = {"Retry-After": RETRY_AFTER[slug]} if slug in RETRY_AFTER else {}
    return Response(problem.model_dump_json(exclude_none=True), status, headers={**retry, **(headers or {})}, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` as a problem, and say so in its OpenAPI document."""
    app.add_exception_handler(PlumblineError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]


def unexpected(request_id: str) -> Response:
    """The answer to a defect: nothing of its inside, only the id under which the log has it."""
    return problem_response(
        request_id,
        "internal",
        500,
        "The service ran into a defect of its own.",
        "Look for this request id in the service's log and report it.",
    )


def describe(error: BaseException) -> dict[str, str]:
    """What the log keeps of a defect: its type and where it arose, never its message, which may quote a document or a query."""
    frames = traceback.extract_tb(error.__traceback__)
    return {"error": type(error).__name__, "at": " < ".join(f"{f.filename}:{f.lineno}:{f.name}" for f in reversed(frames[-8:]))}


def told_to(principal: Principal | None, error: PlumblineError) -> tuple[str, str]:
    """What is wrong and what to do about it, as much of it as somebody may know.

    What is wrong with the house names its folders and counts what is in it, whosever that is: for those with the scope ``governance`` or
    ``operate``.
    """
    if error.slug not in OF_THE_HOUSE or (principal is not None and principal.scopes & {"governance", "operate"}):
        return error.what, error.remedy
    return "What answers are made from cannot be used as it is.", "Tell whoever runs the service: its log and `plumbline doctor` say more."


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlumblineError)
    what, remedy = told_to(getattr(request.state, "principal", None), error)
    if error.status >= 500 and error.slug not in RETRY_AFTER:  # those pass by themselves, and probes ask every few seconds
        telemetry_of(request.app).log.warning("problem", slug=error.slug, what=error.what)
    headers = error.headers if isinstance(error, AnsweredWith) else None
    request.state.problem = error.slug
    return problem_response(request_id_of(request.scope), error.slug, error.status, what, remedy, headers=headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Only where and what: pydantic's own errors repeat the input, which may be a query someone typed.
    found = error.errors()
    fields = [
        FieldProblem(field=".".join(map(str, e["loc"]))[:LONGEST_FIELD], message=e["msg"][:LONGEST_FIELD]) for e in found[:FIELDS_SHOWN]
    ]
    more = f", and {len(found) - len(fields)} more" if len(found) > len(fields) else ""
    return problem_response(
        request_id_of(request.scope),
        "invalid-request",
        422,
        f"{len(found)} field{'s do' if len(found) > 1 else ' does'} not validate: {', '.join(f.field for f in fields)}{more}.",
        "Correct the fields listed under `errors`; `/openapi.json` describes them.",
        fields,
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = str(request.scope["path"])[:LONGEST_FIELD]
    slug, detail, remedy = {
        400: ("body-unreadable", "The body cannot be read as JSON.", "Send one JSON object, not nested deeper than some dozen levels."),
        413: ("body-too-large", "The body is larger than the service reads.", "Send less; PLUMBLINE_MAX_BODY sets the limit."),
        404: ("no-such-route", f"There is nothing at {path}.", "`/openapi.json` lists what there is."),
        405: ("method-not-allowed", f"{path} does not take {request.method}.", "The header `Allow` says what it takes."),
    }.get(error.status_code, ("http", error.detail, ""))
    return problem_response(request_id_of(request.scope), slug, error.status_code, detail, remedy, headers=error.headers)


def _openapi(app: FastAPI) -> dict[str, object]:
    if not app.openapi_schema:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= {**problem.pop("$defs", {}), "Problem": problem}
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schema["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "a key, or a token of the issuer"}
        }
        schema["security"] = [{"bearer": []}]
        for operation in (o for path in schema["paths"].values() for o in path.values()):
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {
                "description": "What went wrong and what to do about it",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
        app.openapi_schema = schema
    return app.openapi_schema
