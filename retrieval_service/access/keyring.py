"""The keys as the catalog has them: read again twice a second, and good for a minute when it cannot be read."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from retrieval_service.access.caller import Caller, holder_of
from retrieval_service.access.refusals import Unauthorized, keys_unreadable
from retrieval_service.problems import describe
from retrieval_service.telemetry import Telemetry
from search_index.catalog import Catalog
from search_index.errors import HomeDamaged, PlumblineError
from search_index.home import Home
from search_index.model.keys import ApiKey, key_id_of
from search_index.model.release import now
from search_index.settings import Settings

LOOK_EVERY_S = 0.5
GOOD_FOR_S = 60.0
"""How long keys that were read are believed when they cannot be read again."""
NOTE_USES_EVERY_S = 60.0
STOP_WITHIN_S = 5.0

_NEVER: Final = float("-inf")


@dataclass(frozen=True)
class Known:
    """The keys by id, expired and revoked ones too."""

    keys: Mapping[str, ApiKey]


class Keyring:
    """Follows the keys of a home in a thread of its own. A home without a catalog has none, and is looked at again like any other."""

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        open_home: Callable[[Settings], Home] = Home,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._open_home = open_home
        self._clock = clock
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._catalog: Catalog | None = None
        self._known = Known({})
        self._read_at = _NEVER
        self._failing = False
        self._looked = threading.Event()
        self._used: dict[str, datetime] = {}
        self._noted: dict[str, datetime] = {}

    # for requests -------------------------------------------------------------------------------------------------

    def known(self) -> Known:
        """What is known of the keys.

        Errors:
            AccessUnknown: it is more than a minute old, or was never read.
        """
        if self._clock() - self._read_at > GOOD_FOR_S:
            raise keys_unreadable()
        return self._known

    def caller(self, secret: str) -> Caller:
        """Whoever holds a secret.

        Errors:
            Unauthorized: it is no key's, or the key is expired, revoked or altered.
            AccessUnknown: the keys cannot be read.
        """
        id, at = key_id_of(secret), now()
        known = self.known()
        if id is None:
            raise Unauthorized("malformed")
        key = known.keys.get(id)
        if key is None or not key.proven_by(secret, at):
            raise Unauthorized("unknown")
        match key.state(at):
            case "active":
                self._used[id] = at
                return holder_of(key)
            case refused:
                raise Unauthorized(refused)

    @property
    def count(self) -> int:
        """How many keys were seen last, for reports only."""
        return len(self._known.keys)

    # for threads --------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read the keys.

        Errors:
            PlumblineError: they cannot be read; what was known stays known for a minute.
        """
        with self._lock:
            try:
                keys = self._read()
            except Exception as e:
                self._telemetry.key_read_failures.inc()
                if not self._failing:
                    self._telemetry.log.warning("keys cannot be read", **describe(e))
                self._failing = True
                if isinstance(e, PlumblineError):
                    raise
                raise HomeDamaged(f"The keys cannot be read ({type(e).__name__}).", "The service's log says more.") from e
            self._failing = False
            self._known, self._read_at = Known(keys), self._clock()

    def start(self, wait_s: float) -> None:
        """Begin looking; comes back after the first look, or after ``wait_s`` seconds if that takes longer."""
        for name, run in (("keyring", self._run), ("key-uses", self._run_uses)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._looked.wait(wait_s)

    def stop(self) -> None:
        """Stop looking, and write down which keys were used."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_WITHIN_S)
        self._note_uses()
        if self._catalog is not None:
            self._catalog.close()

    def _read(self) -> dict[str, ApiKey]:
        if self._catalog is None:
            # Opening would make a home where someone mistyped its name, or before the first ingest chose to.
            if self._settings.database_url is None and not (self._settings.root / "catalog.db").is_file():
                return {}
            self._catalog = self._open_home(self._settings).catalog
        return {key.id: key for key in self._catalog.api_keys()}

    def _run(self) -> None:
        while True:
            with contextlib.suppress(PlumblineError):  # said and counted where it happened; this thread has to look again
                self.look()
            self._looked.set()
            if self._stopping.wait(LOOK_EVERY_S):
                return

    def _run_uses(self) -> None:
        # Apart from looking: writing may wait half a minute for another writer, and a revoked key must not.
        while not self._stopping.wait(NOTE_USES_EVERY_S):
            self._note_uses()

    def _note_uses(self) -> None:
        used = {id: at for id, at in self._used.copy().items() if self._noted.get(id) != at}
        if self._catalog is None:
            return
        try:
            self._catalog.note_key_uses(used)
            self._noted |= used
        except PlumblineError as e:  # when a key was last used is worth knowing, not worth an answer
            self._telemetry.log.warning("uses of keys not noted", slug=e.slug)
