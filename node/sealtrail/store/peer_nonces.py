"""Nonces of peers' signed requests, each to be used once. Functions over one connection."""

from __future__ import annotations

import sqlite3


def take_nonce(
    connection: sqlite3.Connection, key_id: str, nonce: str, *, now_ms: int, expires_ms: int
) -> bool:
    """Use a nonce up; False if it was used before. Forgets those that have expired."""
    connection.execute("DELETE FROM peer_nonce WHERE expires_ms < ?", (now_ms,))
    taken = connection.execute(
        "INSERT INTO peer_nonce (key_id, nonce, expires_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (key_id, nonce, expires_ms),
    )
    return taken.rowcount == 1
