"""The checks of ``plumbline doctor``: each looks at one part and changes nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from plumbline.cli.output import counted
from plumbline.cli.settings import has_home
from search_index.errors import PlumblineError

if TYPE_CHECKING:
    from search_index.home import Home
    from search_index.model.release import Manifest
    from search_index.settings import Settings

LEAST_ROOM_BYTES = 500_000_000
EXPIRES_SOON = timedelta(days=14)
PROBE_TELLS_FOR = timedelta(hours=3)
"""A probe an hour: an older one says nothing of what runs now."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    ok: bool
    says: str
    remedy: str = ""

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        return {"check": self.check, "ok": self.ok, "what": self.says, "remedy": self.remedy}


class _Fault(PlumblineError):
    """A check's own way to say that something is wrong."""


def examine(settings: Settings, *, deep: bool) -> Iterator[Finding]:
    """Every check in turn; one that breaks is a fault, and the others go on."""
    yield _look("home", lambda: _home_writable(settings))
    yield _look("contracts", lambda: _contracts(settings))
    yield _look("room", lambda: _room(settings))
    if not has_home(settings):
        yield Finding("releases", True, "nothing is published yet; `plumbline ingest PATH` begins")
        return
    from search_index.home import Home

    home = Home(settings)
    yield _look("catalog", lambda: _catalog(home))
    yield _look("signatures", lambda: _signatures(home))
    yield _look("keys", lambda: _keys(home))
    yield _look("probes", lambda: _probes(home))
    yield _look("index", lambda: _index(home, deep=deep))
    if deep:
        yield _look("tables", lambda: _tables(home))
    yield _look("model", lambda: _model(home))
    yield _look("lease", lambda: _lease(settings))


def _look(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except PlumblineError as error:
        return Finding(name, False, error.what, error.remedy)
    except Exception as error:  # noqa: BLE001 - a doctor does not fall over what it finds
        return Finding(
            name, False, f"{type(error).__name__}: {str(error)[:300]}", "Run it again with --debug, or put back a copy of the home."
        )


def _home_writable(settings: Settings) -> str:
    root = settings.root
    if not root.exists():
        parent = next(p for p in root.parents if p.exists())
        if not os.access(parent, os.W_OK):
            raise _Fault(f"{root} does not exist, and {parent} cannot be written.", "Set PLUMBLINE_HOME to a folder that can be made.")
        return f"{root} does not exist yet; the first ingest makes it"
    try:
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(b"x")
    except OSError as error:
        raise _Fault(f"{root} cannot be written: {error.strerror}.", "Check its owner, its mode and the disk.") from error
    key = root / "signing.key"
    if key.exists() and key.stat().st_mode & 0o077:
        raise _Fault(f"{key} can be read by others.", f"chmod 600 {key}")
    return f"{root} can be written"


def _contracts(settings: Settings) -> str:
    from quality_checks.contracts import load_contracts
    from quality_checks.golden import load_golden_folder

    good, broken = load_contracts(settings.contract_folders, settings.contract_variables)
    if broken:
        first = next(iter(broken.values()))
        more = f" And {counted(len(broken) - 1, 'contract')} more." if len(broken) > 1 else ""
        raise _Fault(f"{first.what}{more}", first.remedy)
    sets = load_golden_folder([folder / "golden" for folder in settings.contract_folders])
    return f"{counted(len(good), 'contract')} and {counted(len(sets), 'golden set')}, all valid"


def _room(settings: Settings) -> str:
    there = next(p for p in (settings.root, *settings.root.parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < LEAST_ROOM_BYTES:
        raise _Fault(f"{free / 1e6:,.0f} MB are free.", "Free some space: a publish copies the index before it changes it.")
    return f"{free / 1e9:,.1f} GB are free"


def _catalog(home: Home) -> str:
    pointer = home.catalog.pointer()
    live = f"release {pointer.live} is live" if pointer.live is not None else "nothing is live"
    paused = f"; publishing is paused ({pointer.paused}), `plumbline releases resume` lifts it" if pointer.paused else ""
    return f"it opens; {live}{paused}"


def _signatures(home: Home) -> str:
    from search_index.home import trusted_manifest

    retained = home.catalog.releases(home.settings.retain_releases, published_only=True)
    for record in retained:
        trusted_manifest(home, record)
    return f"those of {counted(len(retained), 'retained release')} hold"


def _keys(home: Home) -> str:
    """A key that was altered is a fault; one that expires soon is said, so that it is rotated in time."""
    from search_index.model.release import now

    at, keys = now(), home.catalog.api_keys()
    altered = [f"{key.id} ({key.name})" for key in keys if key.state(at) == "altered"]
    if altered:
        raise _Fault(
            f"Not what was signed, so they open nothing: {', '.join(altered)}. Somebody edited the catalog, or the signing key is another.",
            "Find out who, then `plumbline keys revoke ID` and make new ones.",
        )
    active = [key for key in keys if key.state(at) == "active"]
    soon = [
        f"{key.id} ({key.name}) on {key.expires_at:%Y-%m-%d}"
        for key in active
        if key.expires_at is not None and key.expires_at - at < EXPIRES_SOON
    ]
    said = f"{counted(len(active), 'active key')}, all as signed" if active else "there is no active key"
    return f"{said}; expiring soon: {', '.join(soon)}, `plumbline keys create` makes others" if soon else said


def _probes(home: Home) -> str:
    from search_index.model.release import now

    probe = home.catalog.last_probe()
    if probe is None:
        return "the running service was not probed yet; Dagster does it every hour"
    when = f"at {probe.at:%Y-%m-%d %H:%M} UTC"
    if probe.problems and now() - probe.at < PROBE_TELLS_FOR:
        raise _Fault(
            f"{when} the running service did not answer as it should: {'; '.join(probe.problems.values())}.",
            "Look at the service's log and its /health/ready; the asset `service_probe` asks again.",
        )
    if not probe.reachable:
        return f"{when} {probe.why}"
    return f"{when} release {probe.revision} answered {probe.answered} of {probe.asked} golden queries"


def _live(home: Home) -> Manifest | None:
    from search_index.home import trusted_manifest

    live = home.catalog.pointer().live
    return None if live is None else trusted_manifest(home, home.catalog.release(live))


def _index(home: Home, *, deep: bool) -> str:
    from search_index.errors import HomeDamaged, ReleaseUntrusted, RevisionUnknown
    from search_index.home import newest_with_index, open_release

    manifest = _live(home)
    if manifest is None:
        return "there is none yet"
    rebuild = f"plumbline releases rebuild {newest_with_index(home, manifest.index).revision}"
    try:
        open_release(home, home.catalog.release(manifest.revision)).close()
    except (HomeDamaged, ReleaseUntrusted, RevisionUnknown) as error:
        raise _Fault(error.what, rebuild) from error
    newest = newest_with_index(home, manifest.index).revision
    wrong = home.engine.verify(manifest.index, newest) if deep else []
    if wrong:
        raise _Fault(" ".join(wrong), rebuild)
    points = "every point is what the ledger says" if deep else "it opens and its ledger is what was signed"
    return f"{manifest.index}, {counted(manifest.counts.chunks, 'passage')} live; {points}"


def _tables(home: Home) -> str:
    from pipelines.release.points import desired_points
    from pipelines.tables import Lake, rows_digest

    manifest = _live(home)
    if manifest is None:
        return "there are none yet"
    lake = Lake(home.settings.lake)
    for source, pin in manifest.sources.items():
        desired_points(lake, source, pin, manifest.model)
        listed = lake.read_source("manifests", source, version=pin.manifest.version)
        if rows_digest(listed, "document_id") != pin.manifest.digest:
            raise _Fault(f"The manifest table of {source} does not hold what release {manifest.revision} pins.", "Run `plumbline ingest`.")
    return f"those of {counted(len(manifest.sources), 'source')} hold what release {manifest.revision} pins"


def _model(home: Home) -> str:
    manifest = _live(home)
    if manifest is None:
        return "none is pinned yet"
    encoder = home.encoder(manifest.model)
    if encoder.model_digest != manifest.model.digest:
        raise _Fault(
            f"The weights are {encoder.model_digest[:12]}, release {manifest.revision} was made with {manifest.model.digest[:12]}.",
            f"Move {home.settings.models_dir} away and run `plumbline ingest`, which exports the model again.",
        )
    return f"{manifest.model.name}, weights {manifest.model.digest[:12]}, {manifest.model.runtime}"


def _lease(settings: Settings) -> str:
    from plumbline.cli.status_facts import writer_of

    holder = writer_of(settings)
    return f"a run is writing ({holder})" if holder else "nobody is writing"
