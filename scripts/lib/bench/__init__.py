"""Measures what users feel; started by scripts/bench. Real processes, real HTTP, a real chain."""
