"""The element loop: claims and retrieves ahead, reports behind, and counts; user code stays in the main thread."""
