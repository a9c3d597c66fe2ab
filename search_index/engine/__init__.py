"""Where points live and are searched: one interface, one implementation for each way to run Qdrant."""
