"""What can be read about an element during a run: from the cache where it knows the element, else from the API."""
