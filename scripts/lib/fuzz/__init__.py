"""Fuzzing: each reader of foreign bytes, fed with what coverage leads to."""
