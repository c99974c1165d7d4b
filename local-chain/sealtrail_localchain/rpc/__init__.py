"""JSON-RPC: parameters in, values out, in geth's forms, numbers and words."""
