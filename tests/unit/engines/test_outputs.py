"""What outputs may say, each by itself and all together."""

from __future__ import annotations

import pytest

from dockerception.cli import values
from dockerception.engines import outputs
from dockerception.engines.base import Output
from dockerception.errors import UsageError
from dockerception.oci.annotating import Annotation
from dockerception.reference import Reference

REWRITE = ("rewrite-timestamp", "true")


@pytest.mark.parametrize(
    "text",
    [
        "type=oci,dest=x,tar=false,oci-mediatypes=false,name=a,rewrite-timestamp=true",
        "type=oci,dest=x,compression=zstd,compression-level=19,force-compression=true,annotation.a=b",
        "type=docker,dest=x,name=a,compression=gzip,rewrite-timestamp=1,annotation-manifest-descriptor.k=v",
        "type=docker,name=a",
        "type=image,name=a,push=true,push-by-digest=true,registry.insecure=true,annotation[linux/arm64].a=b",
        "type=registry,name=r.example/a,oci-mediatypes=true,annotation-index.a=b",
    ],
)
def test_attributes_of_buildx(text: str) -> None:
    given = [field.partition("=")[0] for field in text.split(",")]
    found = values.output(text)
    assert {"type", *([] if not found.destination else ["dest"]), *dict(found.attributes)} == set(given)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("type=oci,dest=x,unpack=true", "The output type=oci has no attribute “unpack”.", "it has tar, name, compr"),
        ("type=docker,dest=x,tar=false", "The output type=docker has no attribute “tar”.", "it has name, compression"),
        (
            "type=image,store=false",
            "The output type=image has no attribute “store”.",
            "rewrite-timestamp, annotation.K",
        ),
        ("type=tar,dest=x,rewrite-timestamp=true", "The output type=tar has no attribute “rewrite-", "none but dest"),
        ("type=local,dest=x,annotation.a=b", "The output type=local has no attribute “annotation.a”.", "none but dest"),
        ("type=image,compression=estargz", "“estargz” is not a compression.", "gzip, zstd, uncompressed"),
        ("type=image,rewrite-timestamp=maybe", "rewrite-timestamp=maybe is neither true nor false.", ""),
        ("type=registry,push-by-digest=x", "push-by-digest=x is neither true nor false.", ""),
        ("type=oci,dest=x,oci-mediatypes=false,annotation.a=b", "Docker's media types know no annotations.", "leave"),
        ("type=oci,dest=x,annotation-layer.a=b", "There is no “layer” to annotate.", "manifest-descriptor, index"),
    ],
)
def test_what_there_is_not(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as failed:
        values.output(text)
    assert failed.value.message.startswith(message)
    assert hint in failed.value.hint


def test_annotations_keep_the_case_of_their_keys() -> None:
    assert values.output("TYPE=oci,Dest=x,annotation.Key=V").attributes == (("annotation.Key", "V"),)


def test_outputs_agree_about_times() -> None:
    plain, wanted = Output(type="oci", destination="x"), Output(type="image", attributes=(REWRITE,))
    assert not outputs.rewrites_times(())
    assert not outputs.rewrites_times((plain,))
    assert outputs.rewrites_times((plain, wanted))
    unwanted = Output(type="oci", destination="x", attributes=(("rewrite-timestamp", "false"),))
    assert not outputs.rewrites_times((plain, unwanted))
    with pytest.raises(UsageError, match="a build has one image"):
        outputs.rewrites_times((wanted, unwanted))


def test_names_of_where_images_are_kept() -> None:
    own = (Reference.parse("own"),)
    given = (
        Output(type="image", attributes=(("name", "a,own"),)),
        Output(type="load", attributes=(("name", "b"),)),
        Output(type="oci", destination="x", attributes=(("name", "c"),)),
        Output(type="registry", attributes=(("name", "r.example/d"),)),
        Output(type="image", attributes=(("name", "r.example/e"), ("push", "true"), ("push-by-digest", "true"))),
    )
    assert [name.familiar for name in outputs.names_to_give(given, own)] == ["own:latest", "a:latest", "b:latest"]


def test_annotations_for_all_outputs_reach_those_that_have_manifests() -> None:
    (more,) = (values.annotation("index,manifest:k=v"),)
    archive = Output(type="oci", destination="x", attributes=(("annotation.k", "own"),))
    assert outputs.annotated(archive, (more,)).attributes == (("annotation.k", "own"), ("annotation-index.k", "v"))
    files = Output(type="local", destination="x")
    assert outputs.annotated(files, (more,)) == files


def test_annotations_that_nothing_could_have() -> None:
    with pytest.raises(UsageError, match="needs an output that writes a manifest"):
        outputs.check_annotations((values.annotation("k=v"),), (Output(type="local", destination="x"),))
    outputs.check_annotations((values.annotation("k=v"),), (Output(type="registry"),))
    outputs.check_annotations((), ())


@pytest.mark.parametrize("place", ["index", "index-descriptor"])
def test_an_image_for_one_platform_has_no_index(place: str) -> None:
    given = (Output(type="oci", destination="x", attributes=((f"annotation-{place}.k", "v"),)),)
    with pytest.raises(UsageError, match=f"There is no {place} to annotate with “k”: the image is for one platform"):
        outputs.check_platforms(given, 1)
    outputs.check_platforms(given, 2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("k=v", [Annotation(place="manifest", key="k", value="v")]),
        ("k=a:b=c", [Annotation(place="manifest", key="k", value="a:b=c")]),
        ("index:k=", [Annotation(place="index", key="k", value="")]),
        ("manifest,index:k=v", [Annotation(place=place, key="k", value="v") for place in ("manifest", "index")]),
    ],
)
def test_the_option(text: str, found: list[Annotation]) -> None:
    assert list(values.annotation(text)) == found


@pytest.mark.parametrize("text", ["k", "=v", "index:", "layer:k=v", "index[linux/amd64]:k=v"])
def test_what_the_option_does_not_take(text: str) -> None:
    with pytest.raises(UsageError):
        values.annotation(text)
