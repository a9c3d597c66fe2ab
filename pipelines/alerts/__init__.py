"""What people are told: of sources that are stale, failed or held, of releases, and of orders that operators gave."""
