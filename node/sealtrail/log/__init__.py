"""A member's append-only log: RFC 9162 tree, proofs, tiles, checkpoints. No I/O, no clock, no randomness."""
