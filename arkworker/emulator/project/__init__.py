"""A project as a person describes it, one YAML file or a folder of images, and its way into an emulator."""
