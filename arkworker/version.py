"""The version of arkworker, on its own: what needs it need not import the public door."""

__version__ = "0.1.0"
