"""Where the files of a build come from: directories, tar streams, images; one interface for all of them.

This room knows the store (it spools streams into it) and the formats, but no engine and no process.
"""
