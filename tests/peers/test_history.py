"""What ``docker history`` shows of an image: the texts that BuildKit writes, word for word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from peers.archive import read_image
from peers.program import assemble, succeed
from support.bases import Base
from support.docker import Docker

DOCKERFILE = """\
FROM busybox
MAINTAINER A Person <a@example.com>
ARG ONE
ARG TWO=2 UNSET
ENV A=1 B="two words" C=$TWO
LABEL key=value "a key"="it's \\"quoted\\""
RUN echo hello > /f && \\
    echo more >> /f
RUN ["/bin/true", "a b", "\\"q\\""]
RUN <<EOS
echo first
echo second
EOS
RUN --mount=type=cache,target=/c --network=none true
COPY file /a/
COPY --chown=1:2 --chmod=0640 file other /b/
COPY --link file /linked
COPY <<one <<"two" /docs/
text of $TWO
one
raw $TWO
two
ADD file /added
WORKDIR sub
WORKDIR /
USER www-data
VOLUME /data /more
VOLUME ["/json"]
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-e", "-c"]
ONBUILD RUN echo later
CMD echo $A "b"
ENTRYPOINT ["/bin/sh", "-c", "x y", "tab\\t \\"q\\" é"]
CMD ["one", "two"]
"""


def history(archive: Path) -> list[tuple[str, bool]]:
    items = read_image(archive).config["history"]
    return [(item.get("created_by", ""), item.get("empty_layer", False)) for item in items]


def test_history_reads_as_buildkit_s(
    docker: Docker, docker_base: Callable[[str], Base], store: Path, tmp_path: Path
) -> None:
    base, source = docker_base("busybox"), tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").write_text(DOCKERFILE)
    for name in ("file", "other"):
        (source / name).write_text(name)
    options = ("--network=host",)
    image = docker.build(source, *options)
    succeed(assemble(source, "history", [base], store, output=tmp_path / "ours.tar", arguments=options))
    expected, got = history(docker.save(image, tmp_path / "theirs.tar")), history(tmp_path / "ours.tar")
    assert got == expected
