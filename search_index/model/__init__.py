"""The things Plumbline talks about: documents and chunks, searches and hits, releases and verdicts."""
