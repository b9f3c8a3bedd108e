"""The ``buildx`` engine: levels and builders on any builder that ``docker buildx`` knows, one machine or a cluster.

A builder of buildx runs no containers for others; so running the builder image is one more stage of the same solve,
whose output comes back as a tar (``emit_stages``).  Images that a chain ends with stay where the builder keeps them:
in the daemon for the docker driver, else they come into our store.
"""
