"""What goes to other members and comes from them: consignments, packages, copies of entries."""
