"""Books own the records of one kind: they put statements in, say what follows from them, and pack them to be stored."""
