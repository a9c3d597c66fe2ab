"""What is asked of the data and of the index: contracts, checks, golden sets, measures."""
