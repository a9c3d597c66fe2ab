"""``GET /``: the console, one page without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib import resources

from fastapi import APIRouter, Response

from retrieval_service.deps import SettingsDep

router = APIRouter(include_in_schema=False)

_SCRIPTS = ("dom.js", "access.js", "search.js", "releases.js", "quality.js", "lineage.js", "main.js")


@router.get("/")
async def get_console(settings: SettingsDep) -> Response:
    """Search, releases and quality for people; it asks the same API as everyone else."""
    page, policy = _page(f"http://127.0.0.1:{settings.dagster_port}")
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
    return Response(page, headers=headers, media_type="text/html")


@lru_cache(maxsize=4)
def _page(dagster: str) -> tuple[str, str]:
    """The page with its style and scripts put in, and a policy under which nothing else runs: both are named by their hash."""
    folder = resources.files("retrieval_service.console")
    style = (folder / "console.css").read_text("utf-8")
    script = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    page = (folder / "console.html").read_text("utf-8").replace("{{dagster}}", dagster)
    page = page.replace("{{style}}", style).replace("{{script}}", script)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _hash(inline: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}"
