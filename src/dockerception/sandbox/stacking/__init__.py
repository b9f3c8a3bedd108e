"""The ladder of stacking: how layers become one root file system, and what a run changed becomes an upper directory."""
