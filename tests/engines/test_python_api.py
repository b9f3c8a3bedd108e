"""The Python API on every engine: the image that it returns is in the store, whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from engines.lab import Lab

_PROGRAM = """\
import json, sys
import dockerception

image = dockerception.assemble(sys.argv[1], tags=["by-python"], labels={"by": "python"}, engine=sys.argv[2])
image.save(sys.argv[3], type="tar")
print(json.dumps([image.id, image.size, image.config.config.labels, len(image.layers)]))
"""


def test_an_image_of_any_engine_can_be_used(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    (tmp_path / "source" / "file").write_text("content")
    arguments = [str(tmp_path / "source"), lab.environment["DOCKERCEPTION_ENGINE"], str(tmp_path / "files.tar")]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, env=lab.environment, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    image, size, labels, layers = json.loads(done.stdout)
    assert (size, labels, layers) == (len("content"), {"by": "python"}, 1)
    assert (tmp_path / "files.tar").stat().st_size > 0
    if lab.engine in ("embedded", "docker"):
        assert lab.names()["by-python:latest"] == image
        lab.remove("by-python")
