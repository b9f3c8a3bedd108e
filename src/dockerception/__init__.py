"""dockerception builds small container images."""

__version__ = "0.1.0"
