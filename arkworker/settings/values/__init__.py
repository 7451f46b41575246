"""Text and plain data read by the type of their option."""
