"""What is told when a person moves the live release, stops publishing or overrides its gates: one alert each."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import JsonValue as Json

from pipelines.alerts.messages import Alert, send
from search_index.model.operating import Freeze, Override
from search_index.settings import Settings

RESUME = "When the cause is mended: `plumbline releases resume`."


def alert_rollback(settings: Settings, before: int | None, live: int, actor: str, reason: str, log: Callable[[str], None]) -> None:
    """An older release was made the live one, and publishing is paused."""
    what = f"{actor} rolled back from release {before} to release {live}: {reason}. Publishing is paused."
    _tell(settings, Alert(kind="rolled_back", subject="release", what=what, remedy=RESUME, facts={"live": live, "before": before}), log)


def alert_freeze(settings: Settings, freeze: Freeze, log: Callable[[str], None]) -> None:
    """Publishing was stopped."""
    what = f"{_sentence(freeze.says)} Runs go on; their candidates are judged and discarded."
    _tell(settings, Alert(kind="frozen", subject="release", what=what, remedy=RESUME, facts={"actor": freeze.actor}), log)


def alert_resumed(settings: Settings, live: int | None, actor: str, reason: str, log: Callable[[str], None]) -> None:
    """Publishing goes on."""
    what = f"{actor} let publishing go on: {reason}. Release {live} is live."
    _tell(settings, Alert(kind="resumed", subject="release", what=what, facts={"live": live}), log)


def alert_override(settings: Settings, override: Override, log: Callable[[str], None]) -> None:
    """Gates were overridden."""
    facts: dict[str, Json] = {
        "id": override.id,
        "checks": list[Json](override.checks),
        "actor": override.actor,
        "expires_at": override.expires_at.isoformat(),
    }
    remedy = "As soon as it is not needed any more: `plumbline releases revoke`."
    _tell(settings, Alert(kind="overridden", subject="release", what=_sentence(override.says), remedy=remedy, facts=facts), log)


def _sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:]}."


def _tell(settings: Settings, alert: Alert, log: Callable[[str], None]) -> None:
    if settings.webhook_urls:
        link = f"http://{settings.host}:{settings.port}/v1/releases"
        send(settings, [alert.model_copy(update={"link": link})], log)
