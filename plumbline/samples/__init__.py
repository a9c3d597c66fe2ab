"""A small document set of a fictional bridge inspection firm, to try Plumbline with and to test it on."""

from plumbline.samples.write import write_samples

__all__ = ["write_samples"]
