"""Who builds and runs.  An engine knows one level at a time: it builds it, emits from it, publishes it."""
