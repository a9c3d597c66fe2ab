"""From the path in ``plumbline ingest PATH`` to a source: its contract is found, or a default one is written into the home."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from quality_checks.contracts import RESERVED_NAMES
from search_index.errors import HomeDamaged, SourceUnavailable, WrongUsage
from search_index.settings import Settings

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ARCHIVES = (
    (re.compile(r"\.zip$", re.IGNORECASE), "zip"),
    (re.compile(r"\.(?:tar(?:\.(?:gz|bz2|xz))?|tgz|tbz2?|txz)$", re.IGNORECASE), "tar"),
)


@dataclass(frozen=True)
class Registered:
    """A source that has a contract. ``written`` is the contract file if this call made it."""

    source: str
    location: str
    written: Path | None


def register_source(settings: Settings, place: str, name: str | None) -> Registered:
    """The source at ``place`` (a folder, a file, an archive, a sitemap or an fsspec URL), with a contract from now on if it had none.

    Errors:
        WrongUsage: the place does not exist, the name is not one, or belongs to a source somewhere else.
        ContractInvalid: the contract of that name does not validate.
    """
    from quality_checks.contracts import load_contracts
    from quality_checks.default_contract import default_contract, source_name_for

    location = _located(place)
    if name is not None:
        _check_name(name)
    contracts, broken = load_contracts(settings.contract_folders, settings.contract_variables)
    standing = sorted(n for n, c in contracts.items() if _same_place(c.location, location) and name in (None, n))
    if standing:
        return Registered(standing[0], location, None)
    wanted = name or source_name_for(location)
    if name is None and (not _NAME.fullmatch(wanted) or wanted in RESERVED_NAMES):
        raise WrongUsage(f"No source can be called {wanted!r}, which is what {place} would give.", "Name it: add --name NAME.")
    if wanted in broken:
        raise broken[wanted]
    if wanted in contracts:
        raise WrongUsage(
            f"The source name {wanted!r} is taken: its contract points at {contracts[wanted].location}, not at {location}.",
            "Choose another name with --name, or correct the contract.",
        )
    return Registered(wanted, location, _write(settings.root / "contracts" / f"{wanted}.yaml", default_contract(wanted, location)))


def _located(place: str) -> str:
    from pipelines.sources.locations import exists, refuse_secrets

    if "://" in place:
        try:
            refuse_secrets(place)
            there = exists(place)
        except SourceUnavailable as error:
            raise WrongUsage(error.what, error.remedy) from error
        if not there:
            raise WrongUsage(f"{place} does not exist.", "Correct the URL, or make the place first.")
        return place
    path = Path(place).expanduser()
    if not path.exists():
        raise WrongUsage(f"{place} does not exist.", "Give a folder, a file, or a URL that fsspec knows (s3://bucket/folder).")
    if not os.access(path, os.R_OK):
        raise WrongUsage(f"{place} cannot be read by this user.", "Give this user the right to read it.")
    archive = next((kind for pattern, kind in _ARCHIVES if pattern.search(path.name)), "") if path.is_file() else ""
    return f"{archive}://::{path.resolve()}" if archive else str(path.resolve())


def _same_place(one: str, other: str) -> bool:
    return one.rstrip("/").removeprefix("file://") == other.rstrip("/").removeprefix("file://")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise WrongUsage(
            f"{name!r} cannot be the name of a source.", "Begin with a lower-case letter; use lower-case letters, digits and _, 64 at most."
        )
    if name in RESERVED_NAMES:
        raise WrongUsage(f"{name!r} is a word of Plumbline's own and cannot be the name of a source.", "Choose another --name.")


def _write(path: Path, contract: str) -> Path:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(contract, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise HomeDamaged(
            f"The contract {path} cannot be written: {error.strerror}.", "Check the home's owner, its mode and the disk."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return path
