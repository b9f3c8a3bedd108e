"""The transports room."""
