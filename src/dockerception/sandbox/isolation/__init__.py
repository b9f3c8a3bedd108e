"""The ladder of isolation: how a process runs in a root file system."""
