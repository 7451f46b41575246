"""What describes a worker: JSON Schemas and a page of documentation."""
