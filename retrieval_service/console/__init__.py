"""The console's page, style and scripts."""
