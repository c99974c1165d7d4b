"""Members of a network, their keys and numbering rights, as values: what the registry contract records.

Pure: no chain here. :mod:`sealtrail.ledger` reads these values from the registry's events.
"""
