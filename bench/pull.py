"""Pull 190 MB (gzip) and 23,000 files from a registry on this machine, in turns with ``docker pull``: in one layer,
and in six.

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
from unpack import FILES, write_layer

from support import cache
from support.docker import Docker
from support.dockerd import running_docker
from support.registry import running_registry

_ROUNDS = 5
_KIND = "application/vnd.oci.image."


def write_layout(folder: Path, layers: int) -> int:
    """An OCI layout with the files in so many layers; returns the bytes of its blobs."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def put_layer(numbers: range) -> tuple[str, dict[str, object]]:
        layer = folder / "layer"
        diff_id = write_layer(layer, numbers)
        with layer.open("rb") as file:  # not read as a whole: what this process holds counts as its children's peak
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = layer.stat().st_size
        layer.rename(blobs / digest)
        return diff_id, {"mediaType": f"{_KIND}layer.v1.tar+gzip", "digest": f"sha256:{digest}", "size": size}

    step = -(-FILES // layers)
    made = [put_layer(range(start, min(start + step, FILES))) for start in range(0, FILES, step)]
    rootfs = {"type": "layers", "diff_ids": [diff_id for diff_id, _ in made]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_KIND}manifest.v1+json",
        "config": put(json.dumps(config).encode(), f"{_KIND}config.v1+json"),
        "layers": [packed for _, packed in made],
    }
    entry = put(json.dumps(manifest).encode(), f"{_KIND}manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "big"}
    index = {"schemaVersion": 2, "mediaType": f"{_KIND}index.v1+json", "manifests": [entry]}
    (folder / "index.json").write_text(json.dumps(index))
    return sum(path.stat().st_size for path in blobs.iterdir())


def main() -> None:
    """Both images, each in rounds of all that is measured, so that the machine's moods are shared."""
    with (
        tempfile.TemporaryDirectory(dir=cache.folder()) as name,
        running_registry(Path(name) / "registry") as address,
        running_docker() as docker,
    ):
        for layers in (1, 6):
            _measure(Path(name) / str(layers), address, docker, layers)


def _measure(folder: Path, address: str, docker: Docker, layers: int) -> None:
    size = write_layout(folder / "layout", layers)
    image = f"{address}/bench/big:{layers}"
    source = f"oci:{folder / 'layout'}:big"
    subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", source, f"docker://{image}"], check=True)
    (folder / "project").mkdir()
    (folder / "project" / "Dockerfile").write_text(f'FROM {image}\nRUN ["/bin/busybox", "true"]\n')
    environment = {**os.environ, "DOCKERCEPTION_HOME": str(folder / "store")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    docker_environment = {**os.environ, "DOCKER_HOST": f"unix://{docker.socket}", "DOCKER_CONFIG": str(docker.config)}

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
    what = f"{size / 1e6:.0f} MB gzip, {FILES:,} files, {layers} layer{'s' if layers > 1 else ''}"
    report(f"pull {what}", [each[0] for each in rounds])
    report(f"pull and unpack {what}, and RUN true", [each[1] for each in rounds])
    report(f"docker pull {what} (its client's processor time and memory)", [each[2] for each in rounds])


if __name__ == "__main__":
    main()
