"""The formats of the Open Container Initiative and Docker: values, and bytes to and from values.

This room knows no store, no process and no network.  It reads and writes tar headers, manifests, configs and tocs, and
checks every byte of them, because they may come from anywhere.
"""
