"""Annotations: how they are written, and which image gets which."""

from __future__ import annotations

import pytest

from dockerception.errors import UsageError
from dockerception.oci import annotating
from dockerception.oci.annotating import Annotation, Annotations
from dockerception.reference import Platform

AMD64 = Platform.parse("linux/amd64")
ARM64 = Platform.parse("linux/arm64")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("annotation.org.title", Annotation(place="manifest", key="org.title", value="v")),
        ("annotation-manifest.Key", Annotation(place="manifest", key="Key", value="v")),
        ("annotation-manifest-descriptor.k", Annotation(place="manifest-descriptor", key="k", value="v")),
        ("annotation-index.a.b", Annotation(place="index", key="a.b", value="v")),
        ("annotation-index-descriptor.k", Annotation(place="index-descriptor", key="k", value="v")),
        ("annotation[linux/arm64].k", Annotation(place="manifest", key="k", value="v", platform=ARM64)),
        (
            "annotation-manifest-descriptor[arm64].k",
            Annotation(place="manifest-descriptor", key="k", value="v", platform=ARM64),
        ),
    ],
)
def test_read(name: str, found: Annotation) -> None:
    assert annotating.is_annotation(name)
    assert annotating.read(name, "v") == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("annotation.", "names no annotation"),
        ("annotation-manifest", "names no annotation"),
        ("annotation-layer.k", "There is no “layer” to annotate"),
        ("annotation[plan9/vax].k", "“plan9/vax” is not a platform"),
        ("annotation[].k", "“” is not a platform"),
        ("annotation-index[linux/amd64].k", "An index is of no single platform"),
    ],
)
def test_what_is_none(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        annotating.read(name, "v")


def test_an_attribute_reads_as_what_it_was_made_of() -> None:
    for annotation in (
        Annotation(place="manifest", key="a.b", value="=", platform=ARM64),
        Annotation(place="index-descriptor", key="k", value=""),
    ):
        assert annotating.read(*annotating.attribute(annotation)) == annotation


def test_what_is_said_of_a_platform_is_stronger_in_any_order() -> None:
    of_any = Annotation(place="manifest", key="k", value="any")
    of_arm = Annotation(place="manifest", key="k", value="arm", platform=ARM64)
    more = (Annotation(place="manifest-descriptor", key="d", value="1"), Annotation(place="index", key="i", value="2"))
    for given in ((of_any, of_arm, *more), (*more, of_arm, of_any)):
        assert annotating.resolve(given, ARM64) == Annotations(
            manifest={"k": "arm"}, manifest_descriptor={"d": "1"}, index={"i": "2"}
        )
        assert annotating.resolve(given, AMD64).manifest == {"k": "any"}
