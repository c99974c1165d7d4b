"""Sealtrail: a node for a permissioned, provable audit trail of medicines."""

__version__ = "0.1.0"
