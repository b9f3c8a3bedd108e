"""What ``--cache-from`` and ``--cache-to`` say on the embedded engine."""

from __future__ import annotations

import os

import pytest

from dockerception.engines.embedded.sharing.options import Place, Target, read_source, read_target
from dockerception.engines.outputs import Packing
from dockerception.errors import UsageError
from dockerception.reference import Reference

REGISTRY = Place(reference=Reference.parse("registry.example/app/cache"))
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("type=registry,ref=registry.example/app/cache", REGISTRY),
        ("registry.example/app/cache", REGISTRY),
        ("type=local,src=there", Place(directory=os.path.abspath("there"))),
        ("type=local,src=/c,tag=main", Place(directory="/c", tag="main")),
        (f"type=local,src=/c,digest={DIGEST}", Place(directory="/c", digest=DIGEST)),
        ('type=local,"src=/with,comma"', Place(directory="/with,comma")),
    ],
)
def test_sources(text: str, place: Place) -> None:
    assert read_source(text) == place


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("registry.example/app/cache", Target(place=REGISTRY)),
        ("type=registry,ref=registry.example/app/cache,mode=min", Target(place=REGISTRY, mode="min")),
        ("type=registry,ref=registry.example/app/cache,image-manifest=true,oci-mediatypes=true,mode=max", None),
        ("type=local,dest=/c,mounts=true,ignore-error=true,tag=t", None),
        ("type=local,dest=/c,compression=zstd,compression-level=9,force-compression=true", None),
        ("type=inline", Target(place=None, mode="min")),
    ],
)
def test_targets(text: str, target: Target | None) -> None:
    found = read_target(text)
    if target is not None:
        assert found == target
    assert found.has_mounts == ("mounts" in text)
    assert found.may_fail == ("ignore-error" in text)
    assert found.packing.compression == ("zstd" if "zstd" in text else "gzip")
    assert found.packing.level == (9 if "level" in text else None)
    assert found.packing.is_forced == ("force" in text)
    assert Packing().compression == "gzip"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type=gha", "no such cache of the type “gha”"),
        ("type=inline", "what is inline is found by the image's name"),
        ("type=registry", "has no name"),
        ("type=local,dest=/c", "type=local has no attribute “dest”"),
        ("type=local", "has no directory"),
        ("ref=x,y", "“y” in --cache-from ref=x,y is not KEY=VALUE"),
        ("type=registry,ref=UPPER CASE", "UPPER CASE"),
        ("type=local,src=/c,digest=sha256:1", "sha256:1"),
    ],
)
def test_sources_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_source(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type=s3,bucket=b", "types are registry, local, inline"),
        ("type=inline,mode=max", "type=inline has no attribute “mode”"),
        ("type=local,dest=/c,mode=some", "mode=some is no mode"),
        ("type=local,dest=/c,mounts=perhaps", "neither true nor false"),
        ("type=local,dest=/c,compression=lzma", "“lzma” is not a compression"),
        ("type=registry,ref=r.example/c,oci-mediatypes=false", "caches are OCI manifests here"),
        ("type=registry,ref=r.example/c,image-manifest=false", "caches are OCI manifests here"),
    ],
)
def test_targets_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_target(text)
    assert message in str(caught.value)
