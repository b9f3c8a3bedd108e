"""Images from Debian's (or Ubuntu's) packages, without a registry: ``apt://SUITE?include=…``, by mmdebstrap.

Everything is optional.  ``SUITE`` is the host's own by default, and so are the sources: those of the host's base
system, whose third-party sources are left out unless ``sources=all`` asks for them.

* ``include``: packages, with commas between
* ``variant``: mmdebstrap's (``minbase``, ``essential``, ``apt``, ``required``, ``important``, ``standard``, ``buildd``,
  ``custom``, ``extract``), or ``busybox``: about 2 MB with a link for each applet, a few users, and no package manager
* ``components``, ``mirror`` (an address, in place of the host's sources), ``architecture`` (Debian's name)
* ``docs=false``: without manuals, translations and documents other than copyright notices

The same packages give the same diff_id on every machine.
"""

from __future__ import annotations

from .image import AptImage, open_image
from .spec import SCHEME, AptSpec, parse

__all__ = ["SCHEME", "AptImage", "AptSpec", "open_image", "parse"]
