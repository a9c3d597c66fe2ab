"""The errors a person may see: each says what went wrong, to what, and what to do about it."""

from __future__ import annotations


class PlumblineError(Exception):
    """Something a person has to know about.

    Args:
        what: what went wrong, naming the thing it went wrong with.
        remedy: what to do about it, an imperative sentence.

    ``exit_code`` is what the command line leaves with, ``slug`` names the class of error in ``application/problem+json``
    and ``status`` is its HTTP status.
    """

    exit_code = 1
    slug = "failed"
    status = 500

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class WrongUsage(PlumblineError):
    """The command or the request does not make sense as given."""

    exit_code = 2
    slug = "wrong-usage"
    status = 400


class ContractInvalid(PlumblineError):
    """A data contract does not validate."""

    slug = "contract-invalid"


class SourceUnavailable(PlumblineError):
    """A source's place cannot be listed or read."""

    slug = "source-unavailable"


class DocumentUnreadable(PlumblineError):
    """One file cannot be turned into text. It is quarantined with this reason; the run goes on."""

    slug = "document-unreadable"


class Refused(PlumblineError):
    """A gate refused the candidate, holds a source, or publishing is paused."""

    exit_code = 3
    slug = "refused"
    status = 409


class Busy(PlumblineError):
    """Another run holds the home's lease, or another process the port."""

    exit_code = 4
    slug = "busy"
    status = 409


class HomeDamaged(PlumblineError):
    """The home folder, its catalog or an index directory cannot be used as it is."""

    slug = "home-damaged"
    status = 503


class ServerUnavailable(PlumblineError):
    """Qdrant's server or the database's does not answer, or lets nobody in. Nothing is known to be wrong with what they hold."""

    slug = "server-unavailable"
    status = 503


class DiskFull(PlumblineError):
    """There is not room enough for what is about to be written."""

    slug = "disk-full"
    status = 507


class ModelMismatch(PlumblineError):
    """A model's digest, dimension or fidelity is not what was pinned."""

    exit_code = 3
    slug = "model-mismatch"
    status = 503


class NothingPublished(PlumblineError):
    """No release is live yet."""

    slug = "nothing-published"
    status = 503


class ReleaseUntrusted(PlumblineError):
    """A release's signature or content hash does not hold; it is not loaded."""

    slug = "release-untrusted"
    status = 503


class RevisionUnknown(PlumblineError):
    """The revision or instant asked for was never live or is no longer retained."""

    exit_code = 2
    slug = "revision-unknown"
    status = 404


class NotFound(PlumblineError):
    """No chunk, document or release of that id can be seen."""

    exit_code = 2
    slug = "not-found"
    status = 404


class ArmsUnavailable(PlumblineError):
    """Every arm of a search failed, so there is no answer to give."""

    slug = "arms-unavailable"
    status = 503


class NotInMemory(PlumblineError):
    """What is asked for is not kept in memory, and the engine that would have it is not asked."""

    slug = "not-in-memory"
    status = 503


class FilterInvalid(PlumblineError):
    """A filter or a facet names a metadata field that there is not, or holds a value that none of its values can equal."""

    exit_code = 2
    slug = "filter-invalid"
    status = 422


class DeadlineExceeded(PlumblineError):
    """The time that the request allowed was over before any arm could be asked."""

    slug = "deadline-exceeded"
    status = 504
