"""Image files as what tesseract reads: upright, grey, of bounded size, one a page."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from search_index.errors import DocumentUnreadable

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_PIXELS = 100_000_000
"""A page of A0 at 300 dpi has 140 million, of A1 70 million; unpacked, a pixel takes up to four bytes and a copy."""
_RECOGNISED_PIXELS = 25_000_000
_RECOGNISED_SIDE = 16_000
"""tesseract takes at most 32,767 pixels a side, and time by the pixel; A4 at 300 dpi has nine million."""
_SMALL_SIDE = 1200
"""Of a page in screen resolution (612 x 792 pixels) tesseract reads 252 words at a confidence of 50, doubled 316 at 90."""
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "HEIF")


def frames(data: bytes, path: str) -> Iterator[Picture]:
    """The pages of an image file; of an animation, or a picture with a second one for depth, the first.

    Raises:
        DocumentUnreadable: it is too large, or not an image that can be opened.
    """
    from pi_heif import register_heif_opener
    from PIL import Image, UnidentifiedImageError

    Image.init()
    register_heif_opener()
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            for index in range(getattr(image, "n_frames", 1) if image.format == "TIFF" else 1):
                image.seek(index)
                _refuse_large(image.width, image.height, path)
                yield prepared(image)
    except DocumentUnreadable:
        raise
    except Image.DecompressionBombError as error:
        raise DocumentUnreadable(f"{path} has more than {MOST_PIXELS:,} pixels.", "Save it with fewer pixels.") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise DocumentUnreadable(f"{path} is not an image that can be opened.", "Open it in its own program and save it as PNG.") from error


def prepared(image: Picture) -> Picture:
    """Upright as its EXIF data says, transparency on white, grey, and scaled to what tesseract reads well."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright.convert("RGBA"))
    if upright.mode.startswith(("I", "F")):
        upright = ImageOps.autocontrast(upright.convert("F").point(lambda value: value / 256).convert("L"))
    grey = upright.convert("L")
    scale = min(1.0, (_RECOGNISED_PIXELS / max(1, grey.width * grey.height)) ** 0.5, _RECOGNISED_SIDE / max(grey.size))
    if max(grey.size) < _SMALL_SIDE:
        scale = 2.0  # its letters are smaller than those tesseract has learnt from
    return grey if scale == 1.0 else grey.resize((max(1, int(grey.width * scale)), max(1, int(grey.height * scale))))


def _refuse_large(width: int, height: int, path: str) -> None:
    if width * height > MOST_PIXELS:
        what = f"{path} has {width:,} x {height:,} pixels; {MOST_PIXELS:,} are read at most."
        raise DocumentUnreadable(what, "Save it with fewer pixels.")
