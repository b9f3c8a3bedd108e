"""What the embedded engine keeps on disk: blobs, trees, names, the build cache; many processes at once.

Facts live in one SQLite database, bytes in files beside it.  What has no row does not exist; every file is complete
before its row is.  The rows form a graph (``refs``): names, and what the leases of live processes list, are its roots,
and ``prune`` deletes what they do not reach.  This room knows formats, but no engine, no sandbox and no transport.
"""
