"""The release being served, and its swap for the next one while requests go on."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from retrieval_service.answer_cache import AnswerCache
from retrieval_service.problems import Starting, describe
from retrieval_service.telemetry import Telemetry
from retrieval_service.withheld import FollowedOverlay
from search_index.catalog import Catalog
from search_index.errors import HomeDamaged, NothingPublished, PlumblineError, ReleaseUntrusted
from search_index.home import Home, LoadedRelease, open_release
from search_index.model.operating import Freeze, Override
from search_index.model.release import Pointer, ReleaseRecord, now
from search_index.settings import Settings

LOOK_EVERY_S = 0.25
RETRY_FIRST_S, RETRY_MOST_S = 1.0, 30.0
DRAIN_AT_STOP_S = 10.0

OpenHome = Callable[[Settings], Home]
OpenRelease = Callable[[Home, ReleaseRecord], LoadedRelease]


def open_overlaid(load: OpenRelease, home: Home, record: ReleaseRecord) -> LoadedRelease:
    """A release that is open, and asks the home's overlay before it shows anything.

    Errors:
        ReleaseUntrusted: it asks another one, or none; and those of ``load``.
    """
    loaded = load(home, record)
    if loaded.searcher.withholding is not home.withholding:
        loaded.close()
        raise ReleaseUntrusted(f"Release {record.revision} was opened so that it would show what may not be read any more.")
    return loaded


@dataclass(frozen=True)
class Failure:
    """Why the release that the catalog points at is not the one that answers."""

    subject: str  # "catalog", or "release 7"
    error: PlumblineError
    since: datetime
    attempts: int


@dataclass(eq=False)
class Serving:
    """A loaded release and how many requests read it right now."""

    loaded: LoadedRelease
    home: Home
    loaded_at: datetime
    answers: AnswerCache
    _users: int = field(default=0, repr=False)


class LiveRelease:
    """Looks at the catalog's pointer every 250 ms and serves what it points at.

    A new release is loaded beside the old one and put in place in one step; the old one is closed when the last request that
    reads it is done. One that cannot be loaded (unsigned, damaged) leaves the old one serving, and is tried again after 1, 2,
    4, ... at most 30 seconds, or at once when the pointer moves. A home that does not exist yet, or a catalog that cannot be
    read, is looked at again like any other.
    """

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        *,
        open_home: OpenHome = Home,
        load: OpenRelease = open_release,
        clock: Callable[[], float] = time.monotonic,
        also: Sequence[Callable[[Home], None]] = (),
    ) -> None:
        self.overlay = FollowedOverlay(telemetry, clock)
        """What may not be read now. Every release that this opens asks it."""
        self._answers = AnswerCache(settings.answer_cache_mb, telemetry, lambda: self.overlay.version)
        self._also = also
        self._settings = settings
        self._telemetry = telemetry
        self._open_home = open_home
        self._load = load
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._home: Home | None = None
        self._serving: Serving | None = None
        self._pointer: Pointer | None = None
        self._draining: list[Serving] = []
        self._failure: Failure | None = None
        self._failed_pointer: Pointer | None = None
        self._retry_at = 0.0
        self._override: Override | None = None
        self._frozen: Freeze | None = None

    # for requests -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def acquire(self) -> Iterator[Serving]:
        """The live release, which stays open until the block is left.

        Errors:
            NothingPublished: nothing is published yet.
            Starting: the first look is not done.
            ReleaseUntrusted, HomeDamaged, ModelMismatch: what is published could not be loaded, and nothing was loaded before.
        """
        with self._lock:
            serving = self._serving
            if serving is None:
                raise self._absence()
            serving._users += 1
        try:
            yield serving
        finally:
            with self._lock:
                serving._users -= 1

    @property
    def serving(self) -> Serving | None:
        """What answers now, for reports only: it may be closed the next moment."""
        return self._serving

    @property
    def failure(self) -> Failure | None:
        """What keeps the release that is pointed at from being served, None when nothing does."""
        return self._failure

    @property
    def override(self) -> Override | None:
        """The override of gates that stands, as of the last look; None once it has expired."""
        override = self._override
        return override if override is not None and override.stands(now()) else None

    @property
    def frozen(self) -> Freeze | None:
        """Who stopped publishing, as of the last look."""
        return self._frozen

    @property
    def catalog(self) -> Catalog:
        """The home's catalog.

        Errors:
            NothingPublished: there is no home yet.
            HomeDamaged: it cannot be opened.
        """
        if self._home is None:
            raise self._absence()
        return self._home.catalog

    # for the thread -----------------------------------------------------------------------------------------------

    def start(self, wait_s: float) -> None:
        """Begin looking; comes back after the first look, or after ``wait_s`` seconds if that takes longer."""
        self._thread = threading.Thread(target=self._run, name="live-release", daemon=True)
        self._thread.start()
        self.overlay.start()
        self._looked.wait(wait_s)

    def stop(self) -> None:
        """Stop looking, wait for the requests under way and close everything."""
        self._stopping.set()
        self.overlay.stop()
        if self._thread is not None:
            self._thread.join(DRAIN_AT_STOP_S)
        with self._lock:
            if self._serving is not None:
                self._draining.append(self._serving)
            self._serving = None
        until = time.monotonic() + DRAIN_AT_STOP_S
        while self._close_drained() and time.monotonic() < until:
            time.sleep(0.01)

    def look(self) -> None:
        """Look once: load what the catalog points at if it is not what answers, and close what nobody reads any more."""
        try:
            self._close_drained()
            pointer = self._read_pointer()
            if pointer is not None:
                self._follow(pointer)
                self._look_elsewhere()
        finally:
            self._looked.set()
            self._report()

    def _run(self) -> None:
        self.look()
        while not self._stopping.wait(LOOK_EVERY_S):
            self.look()

    def _look_elsewhere(self) -> None:
        assert self._home is not None
        for look in self._also:
            try:
                look(self._home)
            except Exception as e:  # noqa: BLE001 - what else there is to look at must not keep a release from being served
                self._telemetry.log.warning("looked elsewhere in vain", **describe(e))

    def _read_pointer(self) -> Pointer | None:
        try:
            if self._home is None:
                # Opening would make a home where someone mistyped its name, or before the first ingest chose to.
                if self._settings.database_url is None and not self._settings.root.is_dir():
                    raise NothingPublished(f"There is no home at {self._settings.root} yet.", "Run `plumbline ingest PATH` first.")
                self._home = self._open_home(self._settings)
                self.overlay.follow(self._home)
            catalog = self._home.catalog
            pointer = catalog.pointer()
            self._override, self._frozen = catalog.override(self._home.signing_key()), catalog.frozen()
            if pointer.live is None:
                raise NothingPublished("Nothing is published yet.", "Run `plumbline ingest PATH` first.")
        except NothingPublished as nothing:
            self._note("catalog", nothing)
            return None
        except Exception as e:  # noqa: BLE001 - whatever it is, this thread has to look again
            self._telemetry.catalog_failures.inc()
            self._note("catalog", self._explained(e, "The catalog"))
            return None
        if self._failure is not None and self._failure.subject == "catalog":
            self._failure = None
        return pointer

    def _follow(self, pointer: Pointer) -> None:
        if self._pointer is not None and (pointer.live, pointer.head) == (self._pointer.live, self._pointer.head):
            self._failure = self._failed_pointer = None
            return
        if pointer == self._failed_pointer and self._clock() < self._retry_at:
            return
        home, live = self._home, pointer.live
        assert home is not None
        assert live is not None
        try:
            loaded = open_overlaid(self._load, home, home.catalog.release(live))
        except BaseException as e:  # noqa: BLE001 - the engine's panics are no Exception, and this thread must not die of one
            self._refuse(pointer, self._explained(e, f"Release {live}"))
            return
        with self._lock:
            old, self._serving = self._serving, Serving(loaded=loaded, home=home, loaded_at=now(), answers=self._answers)
            if old is not None:
                self._draining.append(old)
        self._answers.clear()
        self._pointer, self._failure, self._failed_pointer = pointer, None, None
        self._telemetry.swaps.inc()
        self._telemetry.log.info("serving", release=live, replaced=old.loaded.record.revision if old else None)
        self._close_drained()

    def _refuse(self, pointer: Pointer, error: PlumblineError) -> None:
        self._telemetry.failed_loads.labels(error.slug).inc()
        self._note(f"release {pointer.live}", error)
        attempts = self._failure.attempts if self._failure else 1
        self._failed_pointer = pointer
        self._retry_at = self._clock() + min(RETRY_FIRST_S * 2 ** (attempts - 1), RETRY_MOST_S)

    def _note(self, subject: str, error: PlumblineError) -> None:
        known = self._failure
        if known is not None and known.subject == subject and known.error.what == error.what:
            self._failure = Failure(subject, error, known.since, known.attempts + 1)
            return
        self._failure = Failure(subject, error, now(), 1)
        serving = self._serving.loaded.record.revision if self._serving else None
        self._telemetry.log.warning(
            "not served", subject=subject, slug=error.slug, what=error.what, remedy=error.remedy, still_serving=serving
        )

    def _close_drained(self) -> int:
        """Close the replaced releases that nobody reads; returns how many are still read."""
        with self._lock:
            idle = [s for s in self._draining if s._users == 0]
            self._draining = [s for s in self._draining if s._users > 0]
            left = len(self._draining)
        for serving in idle:
            try:
                serving.loaded.close()
            except Exception as e:  # noqa: BLE001 - the next release serves already
                self._telemetry.log.error("close failed", release=serving.loaded.record.revision, **describe(e))
        return left

    def _report(self) -> None:
        record = self._serving.loaded.record if self._serving else None
        self._telemetry.live_revision.set(record.revision if record else 0)
        self._telemetry.draining.set(len(self._draining))
        if record and record.published_at:
            self._telemetry.release_age_seconds.set((now() - record.published_at).total_seconds())

    def _absence(self) -> PlumblineError:
        failure = self._failure
        if failure is None:
            return Starting("The service has not looked at the catalog yet.", "Ask again in a second.")
        # A new object each time: one exception raised by many threads would gather all their tracebacks.
        return type(failure.error)(failure.error.what, failure.error.remedy)

    def _explained(self, error: BaseException, subject: str) -> PlumblineError:
        if isinstance(error, PlumblineError):
            return error
        self._telemetry.log.error("defect", subject=subject, **describe(error))
        return HomeDamaged(f"{subject} cannot be opened ({type(error).__name__}).", "`plumbline doctor` and the service's log say more.")
