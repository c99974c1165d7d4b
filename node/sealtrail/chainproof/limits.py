"""How much of a chain is read at all. Sizes in bytes; everything above is refused before it is looked at."""

from __future__ import annotations

HEADER_BYTES_MAX = 128 * 1024
"""One header. A thousand validators that all seal take 88 kB of extra data."""

TRIE_NODE_BYTES_MAX = 16 * 1024 * 1024
"""One node of a proof; a leaf holds all of its value, and a receipt may carry megabytes of logs."""

TRIE_NODES_MAX = 65
"""Nodes of one proof: one a nibble of the longest key (32 bytes), and the root."""

TRIE_KEY_BYTES_MAX = 32

RECEIPTS_MAX = 1_000_000
"""Receipts in one block."""

VALIDATORS_MAX = 10_000

RUN_HEADERS_MAX = 20_000
"""Consecutive headers in one proof of finality; more than half of the most validators need half as many."""
