"""Members look at each other's logs: they cosign checkpoints, audit item indexes, and keep what proves a fault."""
