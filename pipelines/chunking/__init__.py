"""From the elements of a document to its passages."""
