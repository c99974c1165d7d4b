"""Other members' nodes over HTTP: signed requests (RFC 9421), packages out and in."""
