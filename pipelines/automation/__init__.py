"""What runs by itself: looking for changes, starting runs, and minding freshness."""
