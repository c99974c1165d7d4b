"""The node's HTTP interface: the EPCIS 2.0 REST binding and this project's own ``/v1``.

Deny by default: every route names the scope that a bearer token must have. Errors are RFC 9457 problem
documents everywhere; nothing here decides what is true.
"""
