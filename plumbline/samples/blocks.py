"""The little Markdown the sample texts are written in, as blocks that any format can be made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; ``level`` 1 is the title of the document."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text without line breaks."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list without order."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: a header and rows of as many cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Bullets | Table


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook, or a CSV file; every row is as wide as the header."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One e-mail message. ``date`` is RFC 5322, ``sender`` and ``to`` are addresses with names."""

    sender: str
    to: str
    date: str
    subject: str
    message_id: str
    body: str


def blocks_of(text: str) -> tuple[Block, ...]:
    r"""The blocks of a text in which a blank line parts one block from the next.

    >>> blocks_of("# Plumb\n\nA line\nand another.")
    (Heading(level=1, text='Plumb'), Paragraph(text='A line and another.'))
    """
    return tuple(_block(part.splitlines()) for part in text.strip().split("\n\n"))


def title_of(text: str) -> str:
    """The first heading."""
    return next(block.text for block in blocks_of(text) if isinstance(block, Heading))


def _block(lines: list[str]) -> Block:
    first = lines[0]
    if first.startswith("#"):
        marks, _, text = first.partition(" ")
        return Heading(len(marks), text)
    if first.startswith("|"):
        header, _, *rows = (tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines)
        return Table(header, tuple(rows))
    if first.startswith("- "):
        # A line that does not begin an item goes on with the one before.
        return Bullets(tuple(" ".join(item.split()) for item in "\n".join(lines).removeprefix("- ").split("\n- ")))
    return Paragraph(" ".join(lines))
