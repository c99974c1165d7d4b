"""Named queries, and those who are sent what these find: webhooks, and feeds over an open connection."""
