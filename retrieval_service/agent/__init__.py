"""Agentic retrieval: a question is taken apart, its parts are searched in bounded steps, and what was done is told.

Nothing here opens an index. All that is learned is learned by asking, as the caller could have asked by itself.
"""
