"""The live board: what the floor looks like now, as a page that needs nothing but the worker."""
