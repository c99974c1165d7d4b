"""The chain, over JSON-RPC: what it says, and the transactions that this node sends to it.

Everything that an endpoint answers is parsed strictly at this border; garbage is "could not ask", never an answer.
"""
