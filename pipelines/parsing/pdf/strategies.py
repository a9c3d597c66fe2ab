"""unstructured's own strategies for PDF, an optional extra: ``fast``, ``ocr_only`` and ``hi_res``.

All three import torchvision, which the CPU build of torch does not come with: docs/formats.md says how to install them.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pipelines.parsing.reading import Reading
from search_index.errors import DocumentUnreadable

if TYPE_CHECKING:
    from unstructured.documents.elements import Element as UnstructuredElement


def partition_with(data: bytes, reading: Reading) -> list[UnstructuredElement]:
    """The elements that the contract's strategy finds.

    Raises:
        DocumentUnreadable: the extra of the strategy is not installed.
    """
    from pipelines.parsing.tagger import prepare_unstructured

    prepare_unstructured()
    strategy = reading.parsing.pdf
    try:
        from unstructured.partition.pdf import partition_pdf

        elements = partition_pdf(
            file=BytesIO(data), strategy=strategy, languages=list(reading.parsing.languages), infer_table_structure=True
        )
    except ImportError as error:
        remedy = "Run `pip install 'plumbline[pdf-strategies]'` (read docs/formats.md first), or set `pdf: pypdfium2` in the contract."
        what = f"{reading.path} is to be read with unstructured's {strategy} strategy, which needs {error.name or 'a package'}"
        raise DocumentUnreadable(f"{what}, not installed here.", remedy) from error
    return list(elements)
