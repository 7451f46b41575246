"""Typed settings and a thin lifecycle runner for Arkindex workers."""

__version__ = "0.1.0"
