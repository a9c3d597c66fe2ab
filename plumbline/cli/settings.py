"""Settings and the home, opened for a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_index.errors import NothingPublished, WrongUsage
from search_index.settings import Settings

if TYPE_CHECKING:
    from search_index.home import Home


def load_settings(overrides: dict[str, object] | None = None) -> Settings:
    """Settings from the environment, ``overrides`` put over them.

    Errors:
        WrongUsage: a variable holds something it cannot.
    """
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    try:
        return Settings(**(overrides or {}))  # type: ignore[arg-type]
    except ValidationError as error:
        said = "; ".join(f"PLUMBLINE_{'__'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors())
        raise WrongUsage(f"Settings are not valid: {said}.", "Correct or unset these variables.") from error
    except SettingsError as error:
        raise WrongUsage(f"Settings are not valid: {error}.", "Correct or unset the variable.") from error


def has_home(settings: Settings) -> bool:
    """Whether there is a catalog to open. Looking must not make one where someone mistyped a path."""
    return settings.database_url is not None or (settings.root / "catalog.db").is_file()


def existing_home(settings: Settings) -> Home:
    """The home, to read from.

    Errors:
        NothingPublished: there is none yet.
    """
    if not has_home(settings):
        raise NothingPublished(
            f"There is no home at {settings.root} yet.",
            "Run `plumbline ingest PATH` first, or set PLUMBLINE_HOME to where yours is.",
        )
    from search_index.home import Home

    return Home(settings)


def actor() -> str:
    """Who does this, for the record."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id need not have a name
        return "unknown"
