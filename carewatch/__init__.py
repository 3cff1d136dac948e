"""carewatch: a live operations monitor for crisis-response programs. The command line and what it composes."""

from importlib.metadata import version

__version__ = version("carewatch")
