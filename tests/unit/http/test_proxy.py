"""Which proxy a URL goes through."""

from __future__ import annotations

import pytest

from dockerception.http.proxy import find_proxy, is_loopback

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        ("https://a.example/", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://a.example/", {"https_proxy": "proxy:3128"}, PROXY),
        ("https://a.example/", {"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        ("http://a.example/", {"HTTPS_PROXY": PROXY}, ""),
        ("http://a.example/", {"ALL_PROXY": PROXY}, PROXY),
        ("http://a.example/", {}, ""),
        ("http://127.0.0.9:5000/", {"HTTP_PROXY": PROXY}, ""),
        ("http://[::1]:5000/", {"HTTP_PROXY": PROXY}, ""),
        ("http://localhost:5000/", {"HTTP_PROXY": PROXY}, ""),
    ],
)
def test_the_variables(url: str, variables: dict[str, str], proxy: str) -> None:
    assert find_proxy(url, variables) == proxy


@pytest.mark.parametrize(
    ("host", "excluded", "is_direct"),
    [
        ("a.example", "*", True),
        ("a.example", "a.example", True),
        ("A.Example", "a.example", True),
        ("b.a.example", "a.example", True),
        ("b.a.example", ".a.example", True),
        ("b.a.example", "*.a.example", True),
        ("aa.example", "a.example", False),
        ("a.example:5000", "a.example:5000", True),
        ("a.example:5001", "a.example:5000", False),
        ("a.example", "a.example:443", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("[fd00::1]", "fd00::/8", True),
        ("a.example", "x.example, a.example", True),
        ("a.example", "x.example a.example", True),
        ("a.example", "", False),
        ("a.example", "10.0.0.0/x", False),
    ],
)
def test_no_proxy(host: str, excluded: str, is_direct: bool) -> None:
    found = find_proxy(f"https://{host}/", {"HTTPS_PROXY": PROXY, "NO_PROXY": excluded})
    assert found == ("" if is_direct else PROXY)


def test_loopback() -> None:
    assert all(map(is_loopback, ("localhost", "x.localhost", "127.0.0.1", "127.255.0.1", "::1")))
    assert not any(map(is_loopback, ("localhost.example", "128.0.0.1", "10.0.0.1", "registry")))
