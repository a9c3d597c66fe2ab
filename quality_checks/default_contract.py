"""The contract a source gets when someone ingests a folder without writing one."""

from __future__ import annotations

import getpass
import io
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from search_index.model.search import EVERYONE

_LONGEST_NAME = 64


def source_name_for(path: str) -> str:
    """A source name made from the last part of a folder, file or URL.

    >>> source_name_for("s3://bucket/Réports 2024/")
    'reports_2024'
    >>> source_name_for("/srv/10-Q")
    'source_10_q'
    """
    last = path.rstrip("/").rpartition("/")[2] if "://" in path else Path(path).expanduser().resolve().name
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (slug if slug[:1].isalpha() else f"source_{slug}".rstrip("_"))[:_LONGEST_NAME].rstrip("_")


def default_contract(name: str, location: str, records: Mapping[str, str] | None = None) -> str:
    """A contract as YAML text: every file under ``location``, readable by everyone, owned by whoever runs this.

    It promises no freshness, because nobody has said how often the files change.

    Args:
        name: the source's name, ``[a-z][a-z0-9_]*``.
        location: an absolute path or an fsspec URL.
        records: for a JSON Lines file whose lines are documents, the fields that are their ``id``, ``title`` and ``text``.
    """
    place = "location" if "://" in location else "path"
    server = {"server": name, "type": _server_type(location), place: location, "format": "records" if records else "files"}
    contract: dict[str, object] = {
        "apiVersion": "v3.0.2",
        "kind": "DataContract",
        "id": f"urn:plumbline:source:{name}",
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "description": {"purpose": f"Documents under {location}"},
        "servers": [server],
        "team": [{"username": _user(), "role": "owner"}],
        "roles": [{"role": EVERYONE, "access": "read"}],
    }
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
    if "://" not in location:
        return "local"
    known = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "http": "http", "https": "http", "sftp": "sftp"}
    return known.get(location.partition("://")[0], "custom")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id need not have a name
        return "unknown"
