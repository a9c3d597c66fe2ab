"""One file for each thing the service answers about."""
