"""Retrievers for other frameworks, each in a module that imports only its own: the extras `langchain`, `llama-index`, `haystack`."""
