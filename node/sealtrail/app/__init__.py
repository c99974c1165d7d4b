"""The one place that builds adapters and services and wires them into a node."""

from sealtrail.app.node import MemberKeys, Node

__all__ = ["MemberKeys", "Node"]
