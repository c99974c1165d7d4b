"""The chain as this node followed it: anchors and registrations, validators, the network that follows from them."""
