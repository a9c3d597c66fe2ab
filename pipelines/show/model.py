"""What was tried when the embedding model was exported, as a table."""

from __future__ import annotations

import dagster as dg

from search_index.embedding import EncoderCard


def tried_table(card: EncoderCard) -> dict[str, dg.MetadataValue]:
    """Every runtime and precision that was measured, with its fidelity, its times and why it cannot be used.

    Empty for a card that did not note it.
    """
    if not card.tried:
        return {}
    rows = [
        {
            "runtime": each.runtime,
            "precision": each.precision,
            "chosen": "yes" if each.chosen else "no",
            "min_cosine": _number(each.min_cosine, 6),
            "cpu_ms": _number(each.cpu_ms, 1),
            "wall_ms": _number(each.wall_ms, 1),
            "refused": each.refused or "-",
        }
        for each in card.tried
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in rows[0]])
    return {"tried": dg.MetadataValue.table([dg.TableRecord(row) for row in rows], schema)}


def _number(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"
