"""The tests, in folders that mirror the packages; a folder needs no ``__init__.py``, shared code is imported as ``tests.NAME``."""
