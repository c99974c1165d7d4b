"""Events come in: read and drafted, recorded under signatures, one document at a time or many at once."""
