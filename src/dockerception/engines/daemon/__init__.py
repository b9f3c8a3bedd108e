"""The ``docker`` and ``podman`` engines: levels built by a daemon's own builder, builders run in its containers.

Docker builds with BuildKit through its command line where that is installed, else with the classic builder of its API;
Podman, whose sockets speak Docker's API, with that API.  What a daemon can't find itself (named contexts) is brought to
it first.
"""
