"""Pull a layer of 190 MB (gzip) and 23,000 files from a registry on this machine, in turns with ``docker pull``.

Docker unpacks what it pulls.  We do so where a RUN needs it, so both are measured: the pull alone, and a build whose
first RUN unpacks (and runs a program, which ``docker pull`` does not).  Both stores are on the disk of the tests'
cache.  Needs root, for dockerd, and Debian's docker-registry and skopeo.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from _measure import PROGRAM, Run, report, run
from unpack import write_layer

from support import cache
from support.dockerd import running_docker
from support.registry import running_registry

_ROUNDS = 5
_KIND = "application/vnd.oci.image."


def write_layout(folder: Path) -> None:
    """An OCI layout with the one image."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    layer = folder / "layer"
    diff_id = write_layer(layer)
    with layer.open("rb") as file:  # not read as a whole: what this process holds would count as its children's peak
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    packed = {"mediaType": f"{_KIND}layer.v1.tar+gzip", "digest": f"sha256:{digest}", "size": layer.stat().st_size}
    layer.rename(blobs / digest)
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_KIND}manifest.v1+json",
        "config": put(json.dumps(config).encode(), f"{_KIND}config.v1+json"),
        "layers": [packed],
    }
    entry = put(json.dumps(manifest).encode(), f"{_KIND}manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "big"}
    index = {"schemaVersion": 2, "mediaType": f"{_KIND}index.v1+json", "manifests": [entry]}
    (folder / "index.json").write_text(json.dumps(index))


def main() -> None:
    """Rounds of all of them, one after another, so that the machine's moods are shared."""
    with (
        tempfile.TemporaryDirectory(dir=cache.folder()) as name,
        running_registry(Path(name) / "registry") as address,
        running_docker() as docker,
    ):
        folder = Path(name)
        write_layout(folder / "layout")
        image = f"{address}/bench/big:1"
        copy = [
            "skopeo",
            "copy",
            "--quiet",
            "--dest-tls-verify=false",
            f"oci:{folder / 'layout'}:big",
            f"docker://{image}",
        ]
        subprocess.run(copy, check=True)
        (folder / "project").mkdir()
        (folder / "project" / "Dockerfile").write_text(f'FROM {image}\nRUN ["/bin/busybox", "true"]\n')
        environment = {**os.environ, "DOCKERCEPTION_HOME": str(folder / "store")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        docker_environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{docker.socket}",
            "DOCKER_CONFIG": str(docker.config),
        }

        def ours(*arguments: str) -> Run:
            done = run([PROGRAM, *arguments], environment=environment)
            shutil.rmtree(folder / "store")
            os.sync()
            return done

        def theirs() -> Run:
            done = run([str(docker.program), "pull", "--quiet", image], environment=docker_environment)
            docker.command("rmi", "--force", image)
            os.sync()
            return done

        rounds = [
            (ours("pull", "-q", image), ours("assemble", "-q", str(folder / "project")), theirs())
            for _ in range(_ROUNDS + 1)
        ][1:]
        size = sum(path.stat().st_size for path in (folder / "layout" / "blobs" / "sha256").iterdir())
        what = f"{size / 1e6:.0f} MB gzip, 23,000 files"
        report(f"pull {what}", [each[0] for each in rounds])
        report(f"pull and unpack {what}, and RUN true", [each[1] for each in rounds])
        report(f"docker pull {what} (its client's processor time and memory)", [each[2] for each in rounds])


if __name__ == "__main__":
    main()
