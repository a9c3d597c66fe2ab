"""The Model Context Protocol: what the routes answer, as tools for language models, over HTTP and on standard input and output."""
