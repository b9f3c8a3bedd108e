"""Devices of the Container Device Interface (CDI): what this machine's specifications say that a container needs.

``specs`` is the format of a file, ``registry`` what all files of this machine come to, ``allowing`` what a user has
allowed of it, ``edits`` what a RUN then gets.  Nothing here runs anything; the sandbox shows nodes and calls hooks.
"""
