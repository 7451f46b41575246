"""Setting things up in the emulator from a test or a project file, without going through the API."""
