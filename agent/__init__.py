"""Hullwatch: a host agent that watches a Linux node for the misuse of its container runtimes."""

__version__ = "0.1.0"
