"""A step that fails says what went wrong and what to do about it, in the Dagster UI and to whoever gets alerts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import dagster as dg

from pipelines.alerts.sending import alert_failure
from search_index.errors import PlumblineError
from search_index.settings import Settings


@contextlib.contextmanager
def explained(settings: Settings, context: dg.AssetExecutionContext) -> Iterator[None]:
    """Around a step's work.

    An error that is meant for people ends the step with its two sentences and no stack: where in the code it was raised
    helps nobody. Any other keeps its stack, for it is a fault of ours; of it the alert names the kind alone, since its message
    may quote text.
    """
    subject = context.asset_key.to_user_string()
    try:
        yield
    except PlumblineError as e:
        alert_failure(settings, subject, context.run.run_id, f"{subject} failed: {e.what}", e.remedy, context.log.warning)
        raise dg.Failure(
            f"{e.what} {e.remedy}".strip(), metadata={"what": e.what, "remedy": e.remedy or "-"}, allow_retries=False
        ) from None
    except Exception as e:
        alert_failure(settings, subject, context.run.run_id, f"{subject} failed with {type(e).__name__}.", "", context.log.warning)
        raise
