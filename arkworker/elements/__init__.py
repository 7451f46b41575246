"""An element of Arkindex and what is found on it, as values: frozen to the bottom, hashable, comparable, picklable."""
