"""The embedding model: where it comes from, its exported graph, and how faithful that is."""
