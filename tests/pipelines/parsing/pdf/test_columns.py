"""Reading order of pages with columns, whatever order the file draws them in."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from pipelines.parsing.pdf.reader import read_pdf

Drawn = tuple[float, float, str]
"""Left, baseline and text of one line."""

SIZE, LEADING = 10, 12
_WORDS = "the water of this river runs slowly past old mills and farms until it meets a wide and quiet lake where boats lie".split()


def prose(name: str, lines: int, characters: int) -> list[str]:
    """Lines of about so many characters, each of which says where it stands."""
    told = []
    for number in range(lines):
        text, at = f"{name}{number}", number * 5
        while len(text) < characters - 6:
            text, at = f"{text} {_WORDS[at % len(_WORDS)]}", at + 1
        told.append(text)
    return told


def column(left: float, top: float, lines: Sequence[str]) -> list[Drawn]:
    return [(left, top - LEADING * number, text) for number, text in enumerate(lines)]


def interleaved(columns: Sequence[list[Drawn]]) -> list[Drawn]:
    return [line for row in zip_longest(*columns) for line in row if line]


def one_after_the_other(columns: Sequence[list[Drawn]]) -> list[Drawn]:
    return [line for lines in columns for line in lines]


def backwards(columns: Sequence[list[Drawn]]) -> list[Drawn]:
    return one_after_the_other(columns)[::-1]


def last_column_first(columns: Sequence[list[Drawn]]) -> list[Drawn]:
    return one_after_the_other(columns[::-1])


ORDERS = [interleaved, one_after_the_other, backwards, last_column_first]


def text_of(drawn: Sequence[Drawn], rotation: int = 0) -> str:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(612, 792))
    if rotation:
        canvas.setPageRotation(rotation)
    canvas.setFont("Helvetica", SIZE)
    for left, baseline, text in drawn:
        canvas.drawString(left, baseline, text)
    canvas.showPage()
    canvas.save()
    return "\n".join(part.text for part in read_pdf(buffer.getvalue(), "c.pdf")[1])


def marks(text: str) -> list[str]:
    return re.findall(r"\b[A-Z]\d+\b", text)


@pytest.mark.parametrize("drawn", ORDERS)
def test_two_columns_are_read_one_after_the_other(drawn: Callable[[Sequence[list[Drawn]]], list[Drawn]]) -> None:
    columns = [column(60, 700, prose("L", 20, 48)), column(320, 700, prose("R", 20, 48))]
    assert marks(text_of(drawn(columns))) == [*(f"L{n}" for n in range(20)), *(f"R{n}" for n in range(20))]


@pytest.mark.parametrize("drawn", ORDERS)
def test_three_columns_below_a_heading_across_them(drawn: Callable[[Sequence[list[Drawn]]], list[Drawn]]) -> None:
    columns = [column(50 + 175 * number, 660, prose("ABC"[number], 15, 33)) for number in range(3)]
    head = column(50, 700, prose("H", 2, 108))
    assert marks(text_of([*head, *drawn(columns)])) == ["H0", "H1", *(f"{name}{n}" for name in "ABC" for n in range(15))]


@pytest.mark.parametrize("drawn", ORDERS)
def test_what_runs_across_stands_between_the_columns_above_and_below_it(drawn: Callable[[Sequence[list[Drawn]]], list[Drawn]]) -> None:
    above = [column(60, 740, prose("A", 8, 48)), column(320, 740, prose("B", 8, 48))]
    across = column(60, 600, prose("X", 3, 100))
    below = [column(60, 500, prose("C", 8, 48)), column(320, 500, prose("D", 8, 48))]
    wanted = [f"{name}{n}" for name, lines in (("A", 8), ("B", 8), ("X", 3), ("C", 8), ("D", 8)) for n in range(lines)]
    assert marks(text_of([*drawn(below), *across, *drawn(above)])) == wanted


def test_columns_of_unequal_length_with_a_foot() -> None:
    columns = [column(60, 700, prose("L", 25, 48)), column(320, 700, prose("R", 6, 48))]
    foot = column(60, 60, prose("F", 1, 100))
    wanted = [*(f"L{n}" for n in range(25)), *(f"R{n}" for n in range(6)), "F0"]
    assert marks(text_of([*foot, *interleaved(columns)])) == wanted


def test_a_word_parted_at_a_line_end_is_mended_in_an_interleaved_column() -> None:
    left, right = prose("L", 8, 48), prose("R", 8, 48)
    left[2:4] = ["the results are an unmistake-", "able sign that something in the water changed"]
    assert "unmistakeable sign" in text_of(interleaved([column(60, 700, left), column(320, 700, right)]))


def test_a_table_is_not_torn_into_columns() -> None:
    names = [
        "Cost of sales and other revenue",
        "Research and development expenses",
        "Selling and administrative expenses",
        "Other income of the company",
    ]
    rows = [(60.0, 700.0 - 14 * n, f"{name} N{n}") for n, name in enumerate(names * 3)]
    numbers = [(x, y, f"{1000 + 37 * n:,}") for n, (_, y, _) in enumerate(rows) for x in (340.0, 440.0)]
    assert marks(text_of([*rows, *numbers])) == [f"N{n}" for n in range(12)]
    lines = [line for line in text_of(interleaved([rows, numbers[::2], numbers[1::2]])).split("\n") if "N3" in line]
    assert lines == ["Other income of the company N3 | 1,111 | 1,111"]


def test_a_form_keeps_its_answers_beside_their_questions() -> None:
    asked = ["Full name", "Date of birth", "Place of birth", "Nationality", "Passport number", "Occupation", "Employer", "Since"]
    answers = ["Ada King of Lovelace", "10 December 1815", "London, England", "British", "P 12 34 56", "Mathematician", "None", "1833"]
    drawn = interleaved([column(60, 700, asked), column(320, 700, answers)])
    assert re.search(r"Place of birth:?\s+London, England", text_of(drawn))


def test_a_page_set_sideways_is_read_like_an_upright_one() -> None:
    lines = prose("S", 12, 60)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(612, 792))
    canvas.setPageRotation(90)
    canvas.rotate(90)
    canvas.setFont("Helvetica", SIZE)
    for number, line in enumerate(lines):
        canvas.drawString(60, -100 - LEADING * number, line)
    canvas.showPage()
    canvas.save()
    [part] = read_pdf(buffer.getvalue(), "s.pdf")[1]
    assert part.text == " ".join(lines)


def test_a_stamp_along_the_side_does_not_interrupt_the_text() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for lines in (prose("A", 5, 60), prose("B", 5, 60)):
        canvas.setFont("Helvetica", SIZE)
        for left, baseline, text in column(80, 700, lines[:3]):
            canvas.drawString(left, baseline, text)
        canvas.saveState()
        canvas.rotate(90)
        canvas.drawString(300, -30, "Preprint 2103.15348 of June")
        canvas.restoreState()
        for left, baseline, text in column(80, 664, lines[3:]):
            canvas.drawString(left, baseline, text)
        canvas.showPage()
    canvas.save()
    parts = read_pdf(buffer.getvalue(), "s.pdf")[1]
    assert [marks(part.text) for part in parts] == [[f"A{n}" for n in range(5)], [], [f"B{n}" for n in range(5)]]
    assert [part.text for part in parts if not marks(part.text)] == ["Preprint 2103.15348 of June"]


def test_a_real_paper_is_read_column_by_column(shared_data: Callable[[str], Path]) -> None:
    parts = read_pdf(shared_data("file-formats/pdf/multi-column.pdf").read_bytes(), "multi-column.pdf")[1]
    text = " ".join(part.text for part in parts)
    places = [
        text.index(said)
        for said in ("Abstract Open-domain", "1 Introduction", "Retrieval in open-domain QA is usually", "2 Background", "3.1 Overview")
    ]
    assert places == sorted(places)
    titles = [part.text for part in parts if part.kind == "Title"]
    assert {"Abstract", "1 Introduction", "2 Background", "3.1 Overview"} <= set(titles)
