"""The engines/embedded room."""
