"""The dockerfile room."""
