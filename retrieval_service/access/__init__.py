"""Who may ask: keys and tokens, scopes, and how much of it."""

from retrieval_service.access.exposure import check_exposure, is_loopback
from retrieval_service.access.scopes import require

__all__ = ["check_exposure", "is_loopback", "require"]
