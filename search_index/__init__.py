"""Ground floor: what the pipeline that writes an index and the service that reads it agree on."""
