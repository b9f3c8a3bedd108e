"""Registries (OCI distribution specification 1.1, Docker's schema 2): pull and push, one job a module.

``credentials`` and ``login`` read and write Docker's config.json, ``hosts`` says how a registry is reached,
``challenge`` and ``tokens`` authenticate, ``connection`` sends, ``failures`` puts refusals into words; ``manifests``,
``blobs`` and ``uploads`` are the specification's three kinds of resources; ``pull`` and ``push`` are made of them.
"""
