"""``RUN --device``: what names a device."""

from __future__ import annotations

import pytest

from dockerception.dockerfile.instructions import Device, read_device
from dockerception.errors import DockerfileError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vendor.com/gpu=0", Device("vendor.com/gpu=0")),
        ("vendor.com/gpu", Device("vendor.com/gpu")),
        ("vendor.com/gpu=*,required", Device("vendor.com/gpu=*", is_required=True)),
        ("required=true,vendor.com/gpu=a.b:c-1", Device("vendor.com/gpu=a.b:c-1", is_required=True)),
        ("name=vendor.com/gpu=0,required=false", Device("vendor.com/gpu=0")),
        ("NAME=a/b,REQUIRED=1", Device("a/b", is_required=True)),
    ],
)
def test_devices(text: str, found: Device) -> None:
    assert read_device(text) == found
    assert found.kind == found.name.partition("=")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no device"),
        ("required", "names no device"),
        ("gpu", "names no device"),
        ("vendor.com/gpu=", "names no device"),
        ("vendor.com/gpu=a b", "names no device"),
        ("vendor.com/gpu/x=1", "names no device"),
        ("vendor.com/1gpu=x", "names no device"),
        ("../gpu=x", "names no device"),
        ("vendor.com/gpu=1,vendor.com/gpu=2", "names more than one device"),
        ("vendor.com/gpu=1,required=maybe", "is required or not"),
    ],
)
def test_what_is_no_device(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        read_device(text)
    assert f"RUN --device={text}" in caught.value.message
