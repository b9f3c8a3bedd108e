"""Runs processes in root file systems, and makes, compares, reads and deletes the trees of layers.

All of it happens in a child, the *helper*: pid 1 of its own mount and pid namespace (and user namespace, when not
root).  The parent never changes its own namespaces, and when the parent's end of the control socket closes, however the
parent ended, the kernel takes the helper, every container and every mount with it.  Where no namespaces can be made the
helper is an ordinary process that ends its descendants itself.

Layers are shown and processes run by one of the rungs of two ladders, ``stacking`` and ``isolation``.

``client``, ``launch``, ``ladders``, ``namespaces``, ``causes``, ``idmap`` and ``probe`` are the parent's side,
``messages``, ``calls`` and ``wire`` are shared, the rest is imported by the helper only.  This room knows no image, no
cache and no Dockerfile: it is told what to mount and run.

Import from ``client`` (``Sandbox``, ``Run``) and ``messages`` (``RunRequest``, ``Mount``, …).  Nothing is imported
here, because the helper would pay for it at each start.
"""
