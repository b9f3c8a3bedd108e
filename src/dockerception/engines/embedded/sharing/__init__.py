"""Caches elsewhere (``--cache-from``, ``--cache-to``): what machines share of the work that they have done.

A cache is an OCI manifest in a registry or in an image layout of a directory.  Its config is ours (``document``): what
each key stands for.  Its layers are the layers of the steps, the contexts that builders have emitted, and cache mounts,
all tars.  What comes from a cache is believed no more than an image's bytes are: sizes, digests and shapes are checked,
and what is wrong is a warning and a miss.
"""
