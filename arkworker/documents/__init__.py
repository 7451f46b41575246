"""YAML with places: text to nodes that know their line and column, and to plain data."""
