"""The command line: parses options into requests, renders progress, prints results, and turns errors into exit codes.

Nothing here is what a user of the library would miss: what the commands do lives in ``api`` and ``library``.  Each
command is a module of ``commands``, imported only when it is the one that is called.
"""
