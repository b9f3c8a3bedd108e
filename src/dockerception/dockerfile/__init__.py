"""The Dockerfile front end: text to nodes, nodes to instructions, instructions to stages.

Pure: it opens no file, starts no process and asks no clock.  The layers go one way:
``text`` and ``words`` < ``heredocs`` < ``parser`` < ``instructions`` < ``stages``.
"""
