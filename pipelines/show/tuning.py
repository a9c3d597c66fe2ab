"""A tuned ranking as Dagster metadata: what was chosen, with what gain, and why not where it was not."""

from __future__ import annotations

import dagster as dg

from pipelines.evaluation.tuning_outcome import Tuning
from search_index.model.release import Manifest


def ranking_metadata(manifest: Manifest, tuning: Tuning | None) -> dict[str, dg.MetadataValue]:
    """The ranking that a candidate pins and, where this run tuned it, what came of that; numbers, digests and reasons only."""
    shown: dict[str, dg.MetadataValue] = {"ranking": dg.MetadataValue.json(manifest.ranking)}
    if tuning is None or tuning.ranking.tuned is None:
        return shown
    shown["tuning_cpu_s"] = dg.MetadataValue.float(tuning.cpu_s)
    shown["stale_training_judgements"] = dg.MetadataValue.int(tuning.stale)
    for name, trial in (("fusion", tuning.ranking.tuned.fusion), ("adapter", tuning.ranking.tuned.adapter)):
        shown[f"{name}_adopted"] = dg.MetadataValue.bool(trial.adopted)
        shown[f"{name}_reason"] = dg.MetadataValue.text(trial.reason)
        if trial.estimate is not None:
            shown[f"{name}_gain"] = dg.MetadataValue.float(trial.estimate.difference)
            shown[f"{name}_gain_ci95"] = dg.MetadataValue.text(f"{trial.estimate.ci95[0]:+.4f} to {trial.estimate.ci95[1]:+.4f}")
    return shown
