"""The contract a source gets when someone ingests a folder without writing one."""

from __future__ import annotations

import getpass
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from search_index.model.search import EVERYONE
from search_index.model.tenant import DEFAULT_TENANT

_LONGEST_NAME = 64


def source_name_for(path: str) -> str:
    """A source name made from the last part of a folder, file or URL.

    >>> source_name_for("s3://bucket/Réports 2024/")
    'reports_2024'
    >>> source_name_for("/srv/10-Q")
    'source_10_q'
    >>> source_name_for("https://docs.example.org/sitemap.xml")
    'docs_example_org'
    """
    if is_sitemap(path):
        last = path.partition("://")[2].partition("/")[0]
    else:
        last = path.rstrip("/").rpartition("/")[2] if "://" in path else Path(path).expanduser().resolve().name
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (slug if slug[:1].isalpha() else f"source_{slug}".rstrip("_"))[:_LONGEST_NAME].rstrip("_")


def is_sitemap(location: str) -> bool:
    """Whether a location is the sitemap of a website, going by its name."""
    return re.fullmatch(r"https?://[^?#]*/[^/?#]*sitemap[^/?#]*\.(?:xml|xml\.gz|txt)", location, re.IGNORECASE) is not None


def default_contract(
    name: str,
    location: str,
    records: Mapping[str, str] | None = None,
    *,
    access: Sequence[str] = (EVERYONE,),
    tenant: str = DEFAULT_TENANT,
    owner: str | None = None,
) -> str:
    """A contract as YAML text: every file under ``location``, readable by everyone and owned by whoever runs this unless told otherwise.

    A sitemap's address makes a website of it. It promises no freshness, because nobody has said how often the files change.

    Args:
        name: the source's name, ``[a-z][a-z0-9_]*``.
        location: an absolute path, an fsspec URL, or a sitemap's.
        records: for a JSON Lines file whose lines are documents, the fields that are their ``id``, ``title`` and ``text``.
        access: groups that may read it.
        tenant: whose documents these are.
        owner: who answers for them.
    """
    kind = _server_type(location)
    form = "records" if records else "website" if is_sitemap(location) else "files"
    server = {"server": name, "type": kind, "path" if kind == "local" else "location": location, "format": form}
    contract: dict[str, object] = {
        "apiVersion": "v3.0.2",
        "kind": "DataContract",
        "id": f"urn:plumbline:source:{name}",
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "description": {"purpose": f"Documents under {location}"},
        "servers": [server],
        "team": [{"username": owner or _user(), "role": "owner"}],
        "roles": [{"role": group, "access": "read"} for group in access],
    }
    if tenant != DEFAULT_TENANT:
        contract["tenant"] = tenant
    if records:
        contract["customProperties"] = [{"property": "records", "value": dict(records)}]
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 140
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(contract, text)
    return text.getvalue()


def _server_type(location: str) -> str:
    innermost = location.rpartition("::")[2]  # of an archive, where it lies
    if "://" not in innermost:
        return "local"
    known = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "http": "http", "https": "http", "sftp": "sftp"}
    return known.get(innermost.partition("://")[0], "local" if innermost.startswith("file://") else "api")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id need not have a name
        return "unknown"
