"""PDF: from pdfium's characters to lines, columns, tables and titles; scanned pages; unstructured's own strategies."""
