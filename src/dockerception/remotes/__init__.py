"""Files that a build names by a URL: repositories of git, and what lies on web servers.

``locations`` says what a text names, ``repository`` and ``download`` get it, ``remotes`` keeps it in the store, so that
what has not changed is not fetched again.  What comes out are contexts; this room knows no Dockerfile and no image.
"""
