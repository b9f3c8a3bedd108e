"""What can be done with the images of a store, besides building: plain functions on an open store.

The command line parses and prints; everything that it does lies here, for other programs to do too.
"""
