"""Those who are sent events as they are recorded: where that may be, and how it is posted there."""
