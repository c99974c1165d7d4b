"""The node's own state: one SQLite database, and plain functions over its tables.

Nothing here knows EPCIS, HTTP or the chain; what is stored has been checked by whoever hands it in.
"""
