"""Hostile texts: Dockerfiles, ignore files, names, addresses, headers and settings, each by the name of its target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

LONG: Final = 50_000
"""How often something is repeated: what takes quadratic time shows, what takes linear time does not."""

_ANYWHERE: Final = {
    "empty": b"", "nul": b"\0", "newline": b"\n", "bom": b"\xef\xbb\xbf", "invalid-utf8": b"\xff\xfe",
    "surrogate": b"\xed\xb2\x80", "escape": b"\x1b[2J", "separator": "\u2028".encode(), "digits": "١٢".encode(),
    "blanks": b" " * LONG, "commas": b"," * LONG, "backslashes": b"\\" * LONG, "quotes": b'"' * LONG,
    "dollars": b"${" * LONG, "slashes": b"/" * LONG, "brackets": b"[" * LONG, "braces": b"{" * LONG,
    "letters": b"a" * LONG, "dots": b"." * LONG, "stars": b"*" * LONG, "colons": b":" * LONG,
    "blanks-and-more": b"a" + b" " * LONG + b'"',
}  # fmt: skip

_TEXTS: Final[dict[str, tuple[bytes, ...]]] = {
    "dockerfile": (
        b"FROM a AS b\nCOPY --from=b --chown=1:2 --link x* 'y z' /d/\nRUN <<E cat\nx $y\nE\n",
        b"# escape=`\n# syntax=docker/dockerfile:1\nARG A=${B:-c}\nFROM ${A}\nRUN a `\n b\n",
        b'FROM a\nRUN --mount=type=cache,target=/x,id=i,sharing=locked --network=none ["a", "b"]\n',
        b"FROM a\nIN /x {\nFROM b\nRUN c\nIN /y {\nFROM d\n}\n}\nPUBLISH /x\nBUILD /out Dockerfile\nFROM scratch\n",
        b'FROM a\nENV a=b c="d e" f=\\ g\nLABEL x\nEXPOSE 80-90/udp $P\nHEALTHCHECK --interval=1h2m3s CMD x\n',
        b"FROM a\nONBUILD RUN <<-'E F'\n\tx\n\tE F\nSHELL [\"a\"]\nSTOPSIGNAL 9\n",
        b'FROM a\nVOLUME ["/a"]\nUSER u:g\nWORKDIR /w\nADD --checksum=sha256:0 https://h/f http://h/g.git#x /d\n',
        b"FROM a\nRUN <<A <<B\n",
        b"FROM a\n" + b"RUN a\\\n" * 3000,
        b"FROM a\nIN /x {\n" * 2000,
        b"FROM a\n" + b"ONBUILD " * 3000 + b"RUN a\n",
        b"FROM a\nENV a=" + b"${a:-" * 3000,
        b"FROM a\n" + b"EXPOSE 1-65535\n" * 3,
        b"FROM a\nCOPY <<" + b"E" * LONG + b" /x\n",
    ),
    "word": (
        b"a=b\n${a:-${b:+c}} '$a' \"$a\\\"\" ${a#b*} ${a%%?} ${a//x/y} ${a:?no}",
        b"a=" + b"x" * 2000 + b"\n${a##" + b"*x" * 200 + b"y}",
        b"a=" + b"x" * 2000 + b"\n${a//" + b"*x" * 50 + b"y/z}",
        b"a=" + b"b" * 1000 + b"\n" + b"$a" * 5000,
    ),
    "ignored": (
        b"*\n!a/**/b\n[a-\n[^]]\n\\\n# no\n!\n!!\n**/**/**\n/a/../b\n./c/.\n",
        b"[" + b"\\" * 999 + b"\n",
        b"*a" * 300 + b"\n",
        b"**/" * 300 + b"a\n",
        b"!" * LONG,
        b"**/a/" * 40 + b"z\n",
        b"[a]*" * 40 + b"z\n",
        b"a**" * 40 + b"z\n!**/*a**/*a**/*a**/z\n",
        b"[?[]**/[ab]**a*a**/x\n",
        b"[z-a]\n[[:alpha:]]\n[]a]\na{1,2}\n(?i)x\n",
    ),
    "names": (
        b"docker.io/library/app:latest@sha256:" + b"0" * 64, b"localhost:5000/a/b:c", b"[::1]:5000/a", b"App",
        b"linux/arm/v7", b"linux/amd64/v1/x", b"a" * 64, b"0" * 64, b"a__b/c--d", b"a:" + b"t" * 129, b"a@b@c",
        b"a-" * LONG, b"a." * LONG, b"a.b:99999999999/c", b"sha512:" + b"f" * 128,
    ),
    "location": (
        b"https://user:word@host/a/b.git?branch=main&subdir=d#ref:dir", b"git@host:a/b", b"ssh://git@host:22/a#:/../x",
        b"git://host/a", b"github.com/a/b#-x", b"https://host/%00/f?x#y", b"http://[::1/a", b"http://[::1]:x/a.git",
        b"https://a.git?keep-git-dir=2", b"https://\xe2\x84\x80/a.git", b"http://a]b/c", b"git://[x#y",
        b"https://host/.git?checksum=" + b"0" * 999, b"http://h/" + b"%2e%2e%2f" * 99, b"HTTP://[a]b/",
        b"https://host/a.git?" + b"x=1&" * 9999,
    ),
    "option": (
        b"type=oci,dest=a,name=b", b'type=local,"dest=a,b"', b"type=registry,ref=h/a:1,mode=max", b"1.5GiB",
        b"9" * 400 + b"p", b"9" * 5000, b"1h2m3s", b"9" * 400 + b"d", b"docker-archive:a:b@sha256:0", b"apt://sid?x=%",
        b"apt://?mirror=http://[", b"oci-layout:/a@sha256:" + b"0" * 64, b"nofile=1:2", b"nofile=" + b"9" * 5000,
        b"a=" + b"b" * 999, b'"', b'a,"b', b"type=local,src=a\0b",
    ),
    "challenge": (
        b'Bearer realm="http://h/t?a=b",service="s",scope="repository:a:pull,push"', b'Basic realm="x"',
        b'Negotiate abcd==, Basic realm="\\"", Bearer', b"Bearer realm=http://[::1", b'Bearer realm="ftp://h"',
        b'Bearer realm="https://h:99999999/"', b"Bearer " + b" " * 60_000 + b"=", b"Bearer a=" + b'"' + b"\\" * 60_000,
        b"Bearer " + b"a" * 60_000, b"a " * 30_000, b'Bearer realm="' + b"https://h/?" + b"&" * 9_000 + b'"',
    ),
    "headers": (
        b"https://other.example/x", b"//h/../..", b"http://[::1", b"http://a]b/", b"https://h:port/", b"https://h:99999/",
        b"Wed, 21 Oct 2015 07:28:00 GMT", b"Wed, 31 Feb 99999999999 99:99:99 +9999", b"Mon, 1 Jan", b", , ,",
        b"5", b"99999999999999999999", b"-1", b"1e5", "\u0661".encode(), b"Thu, 1 Jan 1970 00:00:00 -9999999999",
        b"5,5 Oct 88888888888888888888 78:88", b"Fri, 31 Dec 9999 23:59:59 -2359",
    ),
    "token": (
        b'Bearer realm="https://h/t",scope="a b"\n{"token":"t","expires_in":300,"refresh_token":"r"}',
        b'Bearer realm="https://h/t"\n{"access_token":"t","expires_in":1e308}',
        b'Bearer realm="https://h/t"\n{"token":"a\\nb"}', b'Bearer realm="https://h/t"\n{"token":null}',
        b'Bearer realm="https://h/t"\n{"errors":[{"code":"DENIED","message":"no","detail":{"Err":28}}]}',
        b'Bearer realm="https://h/t"\n' + b'{"errors":[{"detail":' + b"[" * LONG,
        b'Bearer realm="https://h/t"\n{"errors":[{"detail":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}]}",
    ),
    "docker_config": (
        b'{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"},"h":{"identitytoken":"t"}},"credHelpers":{"x":1}}',
        b'{"auths":{"registry.example":{"auth":"\xc3\xa9"}}}', b'{"auths":{"registry.example":{"auth":"===="}}}',
        b'{"auths":{"registry.example":{"auth":"dTpw\xf0\x9f\x98\x80"}}}', b'{"auths":[]}', b'{"auths":{"a":1}}',
        b'{"credsStore":"../../bin/sh"}', b'{"credHelpers":{"registry.example":"a b"}}', b'{"currentContext":"x"}',
        b'{"auths":{"registry.example":{"username":1,"auth":"/w=="}}}', b'{"auths":' + b'{"a":' * 9_000,
        b'{"Endpoints":{"docker":{"Host":1}}}', b'{"Endpoints":[]}', b"\xff",
    ),
    "config": (
        b'engine = "buildx:a"\nkeep-storage = "50g"\n[registries."h:1"]\nmirrors = ["https://a"]\ninsecure = true\n',
        b"a = " + b"[" * 9_000, b"a = " + b"{a=" * 900, b"a." * 900 + b"b = 1", b"[registries]\nx = 1\n",
        b'keep-storage = "' + b"9" * 400 + b'p"', b"keep-storage = 5", b"a = 1979-99-99", b"a = " + b"9" * 5_000,
        b'registries = "x"', b'[registries."h"]\nca = [1]\n', b"engine = '''\n" + b"\\" * 999,
    ),
}  # fmt: skip


def texts(target: str) -> Iterator[tuple[str, bytes]]:
    """What a target of texts is given, by name."""
    for number, text in enumerate(_TEXTS[target]):
        yield f"{target}-{number}", text
    yield from _ANYWHERE.items()


NAMES: Final = tuple(_TEXTS)
