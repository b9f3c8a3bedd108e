"""One module a command.  Each has a ``command``; what several share is in the folder above."""
