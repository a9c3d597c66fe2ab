"""A lane: the steps that bring one source from its files to vectors. Each compares what should be with what is."""
