"""This member's log: its first entry, item index and proofs, its checkpoints and their way to the chain."""
