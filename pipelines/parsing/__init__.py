"""From the bytes of one file to normalised text and the elements that point into it."""
