"""An Ethereum-compatible chain for development on one machine, in pure Python packages.

One process, one Clique signer, London rules, JSON-RPC over HTTP, one SQLite database.
A block is final when it is there: with one signer nothing is ever reorganised.
It is no client of any public network and keeps no secrets: its funded accounts are published.
"""
