"""The retrieval service: searches, releases, lineage and quality over HTTP."""
