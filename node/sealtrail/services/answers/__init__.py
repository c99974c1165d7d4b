"""What is asked of this node: events by query, an item's provenance."""
