"""Use cases, a room each: what a node does when it is asked, when a beat comes round, when something arrives."""
