"""The places a value can come from, one file each; a source says its name and points at a value."""
