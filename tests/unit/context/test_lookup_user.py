"""USER and --chown: names, numbers, and what happens without the files."""

from __future__ import annotations

import pytest

from dockerception.context.compose import empty
from dockerception.context.lookup_user import User, owner, process_user
from dockerception.errors import ContextError
from unit.context.trees import Tree, file, folder, link, tree

_IMAGE = tree(
    {
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
        "# comment:x:1:1::/:\n"
        "\n"
        "broken:x:none:0::/:\n"
        "+nis\n"
        "  web:x:33:34:www:/var/www:/bin/false  \n"
        "1000:x:77:78::/numeric:\n"
        "app:x:1000:1001::/home/app:/bin/sh\n"
        "double:x:33:99::/double:\n"
        "short:x:5:6\n",
        "etc/group": "root:x:0:\nwww:x:34:web\naudio:x:29:app, web\nvideo:x:44:app\nbad:x:y:app\n44:x:7:\n",
    }
)


@pytest.mark.parametrize(
    ("spec", "user"),
    [
        ("", User(uid=0, gid=0, home="/root")),
        ("root", User(uid=0, gid=0, home="/root")),
        ("web", User(uid=33, gid=34, groups=(34, 29), home="/var/www")),
        ("33", User(uid=33, gid=34, groups=(34, 29), home="/var/www")),
        ("app", User(uid=1000, gid=1001, groups=(29, 44), home="/home/app")),
        ("app:video", User(uid=1000, gid=44, home="/home/app")),
        ("app:44", User(uid=1000, gid=44, home="/home/app")),
        ("app:", User(uid=1000, gid=1001, groups=(29, 44), home="/home/app")),
        ("1000", User(uid=77, gid=78, home="/numeric")),
        ("4242", User(uid=4242, gid=0)),
        ("4242:4343", User(uid=4242, gid=4343)),
        ("4242:audio", User(uid=4242, gid=29)),
        ("short", User(uid=5, gid=6)),
        (":29", User(uid=0, gid=29, home="/root")),
        ("2147483647:0", User(uid=2147483647, gid=0)),
    ],
)
def test_process_user(spec: str, user: User) -> None:
    assert process_user(_IMAGE, spec) == user


@pytest.mark.parametrize(
    ("spec", "ids"),
    [
        ("root", (0, 0)),
        ("web", (33, 34)),
        ("app", (1000, 1001)),
        ("1000", (1000, 1000)),
        ("55:audio", (55, 29)),
        ("web:video", (33, 44)),
        ("web:0", (33, 0)),
        ("4242", (4242, 4242)),
        ("4242:4343", (4242, 4343)),
        (":www", (0, 34)),
        ("web:", (33, 0)),
        ("4242:", (4242, 0)),
        (":", (0, 0)),
    ],
)
def test_owner(spec: str, ids: tuple[int, int]) -> None:
    assert owner(_IMAGE, spec) == ids


@pytest.mark.parametrize("spec", ["0", "", "root", "0:0", "root:root", "12:34"])
def test_numbers_and_root_need_no_files(spec: str) -> None:
    uid, gid = (12, 34) if spec == "12:34" else (0, 0)
    assert owner(empty(), spec) == (uid, gid)
    assert process_user(empty(), spec) == User(uid=uid, gid=gid)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nobody", "The user “nobody” is not in /etc/passwd of the test"),
        ("broken", "The user “broken” is not in /etc/passwd of the test"),
        ("web:nogroup", "The group “nogroup” is not in /etc/group of the test"),
        ("1:bad", "The group “bad” is not in /etc/group of the test"),
        ("2147483648", "The id 2147483648 in “2147483648” is too large"),
        ("1:99999999999", "The id 99999999999 in “1:99999999999” is too large"),
        ("-1", "The user “-1” is not in /etc/passwd"),
        ("a:b:c", "The user “a” is not in"),
    ],
)
def test_unknown_names_and_ids(spec: str, message: str) -> None:
    with pytest.raises(ContextError, match=message):
        process_user(_IMAGE, spec)


@pytest.mark.parametrize(
    ("spec", "ids", "unknown"),
    [
        ("nobody", (0, 0), ["The user “nobody” is not in /etc/passwd of the test."]),
        ("nobody:video", (0, 44), ["The user “nobody” is not in /etc/passwd of the test."]),
        ("web:nogroup", (33, 34), ["The group “nogroup” is not in /etc/group of the test."]),
        ("4242:nogroup", (4242, 4242), ["The group “nogroup” is not in /etc/group of the test."]),
        (
            "a:b:c",
            (0, 0),
            ["The user “a” is not in /etc/passwd of the test.", "The group “b:c” is not in /etc/group of the test."],
        ),
    ],
)
def test_owner_of_unknown_names(spec: str, ids: tuple[int, int], unknown: list[str]) -> None:
    said: list[str] = []
    assert owner(_IMAGE, spec, said) == ids
    assert said == unknown


@pytest.mark.parametrize("spec", ["2147483648", "1:99999999999"])
def test_owner_with_an_id_out_of_range(spec: str) -> None:
    with pytest.raises(ContextError, match="is too large"):
        owner(_IMAGE, spec)


def test_without_the_file_the_error_says_so() -> None:
    with pytest.raises(ContextError, match=r"“web” is unknown: the empty context has no /etc/passwd\.\n.*give a num"):
        process_user(empty(), "web")
    with pytest.raises(ContextError, match="The group “adm” is unknown: the empty context has no /etc/group"):
        process_user(empty(), "0:adm")


def test_the_files_may_be_links() -> None:
    image = Tree(folder("etc"), link("etc/passwd", "/usr/share/passwd"), folder("usr"), folder("usr/share"),
                 file("usr/share/passwd", "me:x:8:9::/me:\n"))  # fmt: skip
    assert owner(image, "me") == (8, 9)


def test_a_file_that_is_a_directory_has_no_users() -> None:
    with pytest.raises(ContextError, match="The user “me” is not in /etc/passwd"):
        process_user(tree({"etc/passwd/x": ""}), "me")
