"""Rows and columns of tables in PDFs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from pipelines.parsing.assembly import Part
from pipelines.parsing.pdf.reader import read_pdf

Cell = tuple[float, str]
"""Right edge in points, or left edge as a negative number, and text."""


def table(rows: Sequence[Sequence[Cell]]) -> Part:
    """The one table that is found when the rows are drawn below a paragraph."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.setFont("Helvetica", 10)
    canvas.drawString(60, 760, "The table below shows what was sold and what it cost in both of the years of this report.")
    for number, row in enumerate(rows):
        for edge, text in row:
            if edge < 0:
                canvas.drawString(-edge, 720 - 14 * number, text)
            else:
                canvas.drawRightString(edge, 720 - 14 * number, text)
    canvas.save()
    [found] = [part for part in read_pdf(buffer.getvalue(), "t.pdf")[1] if part.kind == "Table"]
    return found


def test_cells_keep_their_columns_in_text_and_html() -> None:
    found = table(
        [
            [(400, "2023"), (500, "2022")],
            [(-60, "Net sales of products"), (-365, "$"), (400, "1,204"), (-465, "$"), (500, "987")],
            [(-60, "Cost of sales"), (400, "(604)"), (500, "(512)")],
            [(-60, "Other income"), (500, "12")],
            [(-60, "Gross margin in < % >"), (400, "49.8"), (410, "%"), (500, "48.1"), (510, "%")],
        ]
    )
    assert found.text.split("\n") == [
        "2023 | 2022",
        "Net sales of products | $ 1,204 | $ 987",
        "Cost of sales | (604) | (512)",
        "Other income | 12",
        "Gross margin in < % > | 49.8% | 48.1%",
    ]
    assert found.html == (
        "<table><tr><td/><td>2023</td><td>2022</td></tr>"
        "<tr><td>Net sales of products</td><td>$ 1,204</td><td>$ 987</td></tr>"
        "<tr><td>Cost of sales</td><td>(604)</td><td>(512)</td></tr>"
        "<tr><td>Other income</td><td/><td>12</td></tr>"
        "<tr><td>Gross margin in &lt; % &gt;</td><td>49.8%</td><td>48.1%</td></tr></table>"
    )


def test_a_head_above_several_columns_spans_them() -> None:
    found = table(
        [
            [(-250, "Three months ended"), (-410, "Nine months ended")],
            [(300, "2023"), (360, "2022"), (460, "2023"), (520, "2022")],
            [(-60, "Revenue"), (300, "510"), (360, "480"), (460, "1,510"), (520, "1,420")],
            [(-60, "Expenses"), (300, "410"), (360, "380"), (460, "1,210"), (520, "1,120")],
        ]
    )
    assert found.text.startswith("Three months ended | Nine months ended\n2023 | 2022 | 2023 | 2022\nRevenue | 510")
    assert found.html is not None
    assert '<tr><td/><td colspan="2">Three months ended</td><td colspan="2">Nine months ended</td></tr>' in found.html


def test_rows_without_gaps_stay_plain_lines() -> None:
    rows = ["Net sales of products $ 1,204 $ 987", "Cost of sales (604) (512)", "Gross margin 600 475"]
    found = table([[(-60, row)] for row in rows])
    assert (found.text.split("\n"), found.html) == (rows, None)


def test_heads_of_several_lines_drawn_cell_by_cell_are_one_row(shared_data: Callable[[str], Path]) -> None:
    parts = read_pdf(shared_data("sec-10-q/docs/2022 Q3 AAPL.pdf").read_bytes(), "2022 Q3 AAPL.pdf")[1]
    income = next(part for part in parts if part.kind == "Table" and "Total comprehensive income" in part.text)
    assert "June 25, 2022 | June 26, 2021 | June 25, 2022 | June 26, 2021" in income.text.split("\n")
    assert income.html is not None
    assert income.html.count("<tr>") == income.text.count("\n") + 1
