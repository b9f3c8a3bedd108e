"""``apt://…`` as a user writes it, and the sources it leads to on different machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerception.errors import UsageError
from dockerception.reference import Platform
from dockerception.transports.apt import parse
from dockerception.transports.apt.sources import choose, image_sources
from dockerception.transports.apt.spec import debian_architecture, platform_of

BOOKWORM = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n'
DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://user:secret@mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.debian.org/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
THIRD_PARTY = """\
# deb http://commented.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/vendor.gpg] https://packages.vendor.example/debian bookworm main
deb https://download.docker.com/linux/debian bookworm stable  # Docker
deb https://apt.vendor.example bookworm main
"""
ONE_LINE = """\
deb http://archive.ubuntu.com/ubuntu noble main universe
deb http://archive.ubuntu.com/ubuntu noble-updates main universe
deb http://security.ubuntu.com/ubuntu noble-security main universe
deb http://archive.ubuntu.com/ubuntu noble-backports main universe
"""


def machine(folder: Path, release: str, files: dict[str, str]) -> str:
    (folder / "apt/sources.list.d").mkdir(parents=True)
    (folder / "os-release").write_text(release)
    for name, text in files.items():
        (folder / "apt" / name).write_text(text)
    return str(folder)


def lines(text: str, etc: str) -> list[str]:
    return [source.line for source in choose(parse(text), etc=etc)]


@pytest.fixture
def debian(tmp_path: Path) -> str:
    return machine(
        tmp_path, BOOKWORM, {"sources.list.d/debian.sources": DEB822, "sources.list.d/third.list": THIRD_PARTY}
    )


def test_everything_has_a_default() -> None:
    spec = parse("apt://")
    assert (spec.suite, spec.include, spec.variant, spec.keeps_docs) == ("", (), "minbase", True)


def test_includes_are_sorted_and_a_plus_is_a_plus() -> None:
    spec = parse("apt://trixie?include=make,g++&include=gcc&docs=false&architecture=arm64")
    assert (spec.suite, spec.include, spec.keeps_docs) == ("trixie", ("g++", "gcc", "make"), False)
    assert debian_architecture(spec, Platform("linux", "amd64")) == "arm64"


def test_busybox_brings_its_package_and_no_documents() -> None:
    spec = parse("apt://?variant=busybox&include=tzdata")
    assert (spec.include, spec.keeps_docs, spec.has_package_manager) == (("busybox-static", "tzdata"), False, False)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("apt://?inlude=go", "“inlude” is not known", "did you mean “include”?"),
        ("apt://?xyz=go", "“xyz” is not known", "include, variant"),
        ("apt://?include", "“include” is not known", "include=VALUE"),
        ("apt://?variant=minbas", "“minbas” is not a value of “variant”", "did you mean “minbase”?"),
        ("apt://?variant=apt&variant=minbase", "“apt,minbase” is not a value", ""),
        ("apt://?include=Golang", "“Golang” is not the name of a package", ""),
        ("apt://?include=go;rm", "“go;rm” is not the name of a package", ""),
        ("apt://?include=--simulate", "is not the name of a package", ""),
        ("apt://?include=?essential", "is not the name of a package", ""),
        ("apt://Book worm", "is not the name of a suite", ""),
        ("apt://-oDebug", "is not the name of a suite", ""),
        ("apt://?mirror=ftp.example", "is not the address of a mirror", ""),
        ("apt://?mirror=http://u:secret@h]", "is not the address of a mirror", ""),
        ("apt://?docs=maybe", "“maybe” is not a value of “docs”", "true, false"),
        ("apt://?architecture=x86_64", "is not a value of “architecture”", "amd64"),
        ("apt://?variant=extract", "installs nothing but what “include” names", ""),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_wrong_spec_is_quoted_without_credentials() -> None:
    with pytest.raises(UsageError) as caught:
        parse("apt://?mirror=http://user:secret@host/debian&what=1")
    assert "secret" not in str(caught.value)
    assert "http://host/debian" in caught.value.message


@pytest.mark.parametrize(
    ("platform", "architecture"),
    [("linux/amd64", "amd64"), ("linux/arm/v7", "armhf"), ("linux/386", "i386"), ("linux/ppc64le", "ppc64el")],
)
def test_platforms_are_debian_s_architectures(platform: str, architecture: str) -> None:
    assert debian_architecture(parse("apt://"), Platform.parse(platform)) == architecture
    assert platform_of(architecture) == Platform.parse(platform)


def test_a_platform_without_packages_is_refused() -> None:
    with pytest.raises(UsageError, match="no packages for windows/amd64"):
        debian_architecture(parse("apt://"), Platform("windows", "amd64"))


def test_the_host_s_own_system_without_backports_and_third_parties(debian: str) -> None:
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
    assert lines("apt://", debian) == [
        f"deb {key}http://user:secret@mirror.example/debian bookworm main",
        f"deb {key}http://user:secret@mirror.example/debian bookworm-updates main",
        "deb http://security.debian.org/debian-security bookworm-security main",
    ]


def test_all_sources_when_asked(debian: str) -> None:
    found = " ".join(lines("apt://?sources=all", debian))
    for name in ("download.docker.com", "packages.vendor.example", "apt.vendor.example", "bookworm-backports"):
        assert name in found
    assert "off.example" not in found
    assert "commented.example" not in found


def test_another_suite_at_the_same_mirrors(debian: str) -> None:
    assert [line.split()[-2] for line in lines("apt://trixie", debian)] == [
        "trixie",
        "trixie-updates",
        "trixie-security",
    ]
    assert len(lines("apt://sid", debian)) == 1
    assert "mirror.example" in lines("apt://sid", debian)[0]


def test_the_image_hears_of_no_mirror_and_no_password(debian: str) -> None:
    spec = parse("apt://?components=main,contrib")
    text = image_sources(choose(spec, etc=debian), spec, "amd64").decode()
    domain = "debian.org"
    official = f"deb.{domain}"
    assert text == (
        f"deb http://{official}/debian bookworm main contrib\n"
        f"deb http://{official}/debian bookworm-updates main contrib\n"
        f"deb http://{official}/debian-security bookworm-security main contrib\n"
    )


def test_a_mirror_in_the_spec_replaces_the_host_s_and_is_kept_without_its_password(debian: str) -> None:
    spec = parse("apt://?mirror=https://user:secret@own.example/debian")
    chosen = choose(spec, etc=debian)
    assert [source.uri for source in chosen] == ["https://user:secret@own.example/debian"]
    assert image_sources(chosen, spec, "amd64") == b"deb https://own.example/debian bookworm main\n"


def test_ubuntu(tmp_path: Path) -> None:
    release = "ID=linuxmint\nID_LIKE=ubuntu\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n"
    etc = machine(tmp_path, release, {"sources.list": ONE_LINE})
    spec = parse("apt://")
    chosen = choose(spec, etc=etc)
    assert [source.suite for source in chosen] == ["noble", "noble-updates", "noble-security"]
    assert b"http://ports.ubuntu.com/ubuntu-ports noble main universe\n" in image_sources(chosen, spec, "arm64")


def test_a_machine_of_another_family_needs_a_suite(tmp_path: Path) -> None:
    etc = machine(tmp_path, "ID=fedora\n", {})
    with pytest.raises(UsageError, match="own Debian suite is not known"):
        choose(parse("apt://"), etc=etc)
    assert [source.suite for source in choose(parse("apt://trixie"), etc=etc)] == [
        "trixie",
        "trixie-updates",
        "trixie-security",
    ]
