"""A PDF page's text and where its characters stand, from pdfium.

Each call into pdfium costs about a microsecond, and a page has thousands of characters: ask for few.
"""

from __future__ import annotations

import re
from ctypes import byref, c_int, create_string_buffer
from math import pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points, origin at the bottom left of the page as it is drawn."""

_BOLD = re.compile(rb"bold|black|heavy|demi|-medi$|-medi-|cmbx|cmssbx|sfbx", re.IGNORECASE)
_FORCE_BOLD = 1 << 18


class Characters:
    """Text of a page, and what pdfium knows of the character at a position in it.

    Attributes:
        text: the page's text in content order, lines parted by ``\\r\\n``; U+FFFE is a hyphen at the end of a line,
            ligatures are the letters they stand for.
    """

    def __init__(self, text_page: pypdfium2.PdfTextPage) -> None:
        from pypdfium2 import raw

        self.text = text_page.get_text_range()
        self._raw = raw
        self._handle = text_page.raw
        self._box = raw.FS_RECTF()
        self._reference = byref(self._box)
        self._loose_box = raw.FPDFText_GetLooseCharBox
        self._font_name, self._font_flags = create_string_buffer(128), c_int()
        # pdfium counts characters that it gives no text for, and takes those beyond U+FFFF for two
        straight = text_page.count_chars() == len(self.text)
        self._index = range(len(self.text)) if straight else self._indices()

    def _indices(self) -> list[int]:
        index, units = [], 0
        for character in self.text:
            index.append(self._raw.FPDFText_GetCharIndexFromTextIndex(self._handle, units))
            units += 2 if character > "\uffff" else 1
        return index

    def box(self, position: int) -> Box:
        """Box of the character with the full height of its font."""
        box = self._box
        self._loose_box(self._handle, self._index[position], self._reference)
        return box.left, box.bottom, box.right, box.top

    def gap(self, before: int, after: int) -> tuple[float, float]:
        """Right edge of the character at ``before``, left edge of that at ``after``."""
        self._loose_box(self._handle, self._index[before], self._reference)
        right = self._box.right
        self._loose_box(self._handle, self._index[after], self._reference)
        return right, self._box.left

    def bold(self, position: int) -> bool:
        """Whether the font's name or flags say so."""
        self._raw.FPDFText_GetFontInfo(self._handle, self._index[position], self._font_name, 128, self._font_flags)
        return bool(_BOLD.search(self._font_name.value)) or bool(self._font_flags.value & _FORCE_BOLD)

    def quarter_turns(self, position: int) -> int | None:
        """Quarter turns counter-clockwise, 0 to 3; None for text that is askew, as watermarks are."""
        quarters = -self._raw.FPDFText_GetCharAngle(self._handle, self._index[position]) / (pi / 2)  # pdfium counts clockwise
        return round(quarters) % 4 if abs(quarters - round(quarters)) < 0.05 else None
