"""Evidence bundles, and the trust file to read them with."""
