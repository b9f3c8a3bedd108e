"""Names, digests and platforms as Docker reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.errors import UsageError
from dockerception.reference import Digest, Platform, Reference

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("app", "docker.io/library/app:latest", "app:latest"),
        ("app:1.0", "docker.io/library/app:1.0", "app:1.0"),
        ("library/app", "docker.io/library/app:latest", "app:latest"),
        ("docker.io/app", "docker.io/library/app:latest", "app:latest"),
        ("index.docker.io/library/app", "docker.io/library/app:latest", "app:latest"),
        ("me/app", "docker.io/me/app:latest", "me/app:latest"),
        ("a/b/c:x", "docker.io/a/b/c:x", "a/b/c:x"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
        ("ghcr.io/me/app:V_1.x-y", "ghcr.io/me/app:V_1.x-y", "ghcr.io/me/app:V_1.x-y"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("HOST/app", "HOST/app:latest", "HOST/app:latest"),
        ("a__b.c-d--e", "docker.io/library/a__b.c-d--e:latest", "a__b.c-d--e:latest"),
        (f"app@{DIGEST}", f"docker.io/library/app@{DIGEST}", f"app@{DIGEST}"),
        (f"app:1@{DIGEST}", f"docker.io/library/app:1@{DIGEST}", f"app:1@{DIGEST}"),
        ("docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"),
        ("docker.io/localhost/c", "docker.io/localhost/c:latest", "docker.io/localhost/c:latest"),
    ],
)
def test_a_name(text: str, canonical: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert str(reference) == canonical
    assert reference.familiar == familiar
    assert Reference.parse(canonical) == reference
    assert Reference.parse(familiar) == reference


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it has no name"),
        (":tag", "it has no name"),
        ("App", "names are lower case"),
        ("me/App", "names are lower case"),
        ("app:", "“” is not a tag"),
        ("app:-x", "“-x” is not a tag"),
        (f"app:{'x' * 129}", "is not a tag"),
        ("app name", "is not a repository path"),
        ("app\n", "is not a repository path"),
        ("a//b", "is not a repository path"),
        ("-app", "is not a repository path"),
        ("a___b", "is not a repository path"),
        ("ghcr.io/", "is not a repository path"),
        ("-x.io/app", "“-x.io” is not a registry"),
        ("host:port/app", "“host:port” is not a registry"),
        ("a/" * 150 + "b", "more than 255 characters"),
        (HEX, "64 hexadecimal digits mean an image id"),
        ("caf\udce9", "is not a repository path"),
    ],
)
def test_no_name(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        Reference.parse(text)
    shown = text.encode(errors="backslashreplace").decode()
    assert f"“{shown}” is not an image name: " in caught.value.message
    assert reason in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["@", "app@", "app@sha256:", "app@md5:0", f"app@{DIGEST}@{DIGEST}", f"app@{DIGEST.upper()}"]
)
def test_no_digest_in_a_name(text: str) -> None:
    with pytest.raises(UsageError, match="is not a digest"):
        Reference.parse(text)


_component = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", fullmatch=True).filter(lambda text: len(text) < 30)
_domain = st.sampled_from(["docker.io", "localhost", "localhost:80", "ghcr.io", "[::1]", "UPPER", "a.b-c.d:1"])


@given(_domain, st.lists(_component, min_size=1, max_size=4), st.from_regex(r"[a-zA-Z0-9_][\w.-]{0,9}", fullmatch=True))
def test_every_name_is_read_as_it_was_written(domain: str, components: list[str], tag: str) -> None:
    text = f"{domain}/{'/'.join(components)}:{tag}"
    if not tag.isascii():
        return
    reference = Reference.parse(text)
    assert reference.tag == tag
    assert reference.repository == str(reference).rpartition(":")[0]
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference


@given(st.text())
def test_any_text_is_a_name_or_a_usage_error(text: str) -> None:
    for parse in (Reference.parse, Digest.parse, Platform.parse):
        try:
            value = parse(text)
        except UsageError:
            continue
        assert parse(str(value)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scratch", "No image can be called “scratch”"),
        ("docker.io/library/scratch:1", "No image can be called"),
        (f"app@{DIGEST}", "has a digest"),
        ("App", "is not an image name"),
    ],
)
def test_names_that_no_image_can_get(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Reference.to_give(text)


def test_names_that_images_get() -> None:
    for text in ("app:1", "scratch/app", "ghcr.io/scratch", "registry:5000/library/scratch"):
        assert Reference.to_give(text) == Reference.parse(text)


def test_digests() -> None:
    assert Digest.parse(DIGEST) == Digest("sha256", HEX)
    assert str(Digest.parse(DIGEST)) == DIGEST
    assert str(Digest.parse(f"sha512:{HEX * 2}")) == f"sha512:{HEX * 2}"
    assert str(Digest.sha256(bytes.fromhex(HEX))) == DIGEST


@pytest.mark.parametrize(
    "text", ["", HEX, "sha256:", DIGEST[:-1], f"{DIGEST}0", f"{DIGEST}\n", f"sha512:{HEX}", "sha256:../x"]
)
def test_no_digests(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Digest.parse(text)
    assert "is not a digest" in caught.value.message
    assert "64" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("Linux/AMD64", "linux/amd64"),
        ("x86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("arm", "linux/arm/v7"),
        ("armhf", "linux/arm/v7"),
        ("armel", "linux/arm/v6"),
        ("linux/arm/v5", "linux/arm/v5"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/386", "linux/386"),
        ("i386", "linux/386"),
        ("windows/amd64", "windows/amd64"),
        ("darwin/arm64", "darwin/arm64"),
        ("linux/riscv64", "linux/riscv64"),
    ],
)
def test_a_platform(text: str, platform: str) -> None:
    assert str(Platform.parse(text)) == platform


@pytest.mark.parametrize(
    "text", ["", "/", "linux/", "linux/x", "amd64/linux", "beos/amd64", "linux/arm/v7/x", "linux/arm/a b"]
)
def test_no_platform(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Platform.parse(text)
    assert f"“{text}” is not a platform." in caught.value.message
    assert "linux/amd64" in caught.value.hint


def test_a_system_alone_is_on_the_machine_that_we_are_on() -> None:
    assert Platform.parse("linux") == Platform.host()
    assert Platform.host().os == "linux"
