"""Feedwright: a folder of articles becomes RSS, Atom and JSON feeds, and is served."""

__version__ = "0.1.0"
