"""Evidence bundles: one file that proves an answer to someone with no node and no network.

Lines in, a report out; no I/O, no clock. Source: docs/protocol.md sections 18 to 20.
"""
