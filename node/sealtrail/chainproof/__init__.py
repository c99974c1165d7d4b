"""What a chain proves to somebody without a node: headers and their seals, trie proofs, receipts and state.

Bytes in; a value or an error out. Nothing here asks a chain; who fetched what does not matter to any answer.
"""
