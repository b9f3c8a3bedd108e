"""History and times of a finished image."""

from __future__ import annotations

import msgspec
import pytest

from dockerception.engines.base import Settings
from dockerception.engines.embedded.finish import image_config
from dockerception.engines.embedded.values import StageState
from dockerception.oci.config import ContainerConfig, History, ImageConfig, format_time
from dockerception.reference import Platform
from unit.engines.lab import EPOCH, base_image, evaluate

BASE_TIME = 1_577_836_800  # 2020-01-01T00:00:00Z, as base_image has it


def config(text: str, created: tuple[int, ...] = (), epoch: int = EPOCH) -> ImageConfig:
    """The config of a built Dockerfile whose layers were made at these times."""
    stage = evaluate(text, images={"base": base_image(ContainerConfig(), author="first")})
    state = StageState(key="k", layers=(), created=created)
    return image_config(stage, state, Settings(platform=Platform("linux", "amd64"), epoch=epoch))


@pytest.mark.parametrize(
    ("text", "created", "times", "newest"),
    [
        ("FROM scratch", (), [], EPOCH),
        ("FROM base", (), [], BASE_TIME),
        ("FROM scratch\nCMD x", (), [EPOCH], EPOCH),
        ("FROM base\nCMD x", (), [BASE_TIME], BASE_TIME),
        ("FROM base\nCMD x\nRUN a", (5,), [5, 5], 5),
        ("FROM base\nRUN a\nCMD x\nRUN b\nCMD y", (5, 7), [5, 5, 7, 7], 7),
        ("FROM scratch AS one\nRUN a\nFROM one\nENV A=1\nRUN b", (5, 7), [5, 5, 7], 7),
    ],
)
def test_times(text: str, created: tuple[int, ...], times: list[int], newest: int) -> None:
    found = config(text, created)
    assert [item.created for item in found.history] == [format_time(time) for time in times]
    assert found.created == format_time(newest)


def test_items() -> None:
    found = config("FROM base\nRUN a\nONBUILD RUN x\nCMD y\nMAINTAINER second", (5,))
    assert [(item.created_by, item.empty_layer) for item in found.history] == [
        ("RUN /bin/sh -c a # buildkit", False),
        ('CMD ["/bin/sh" "-c" "y"]', True),
        ("MAINTAINER second", True),
    ]
    assert found.author == "second"
    assert found.config.on_build == ("RUN x",)


def test_a_base_keeps_its_history_and_platform() -> None:
    base = base_image(ContainerConfig())
    assert base.image is not None
    older = msgspec.structs.replace(
        base.image.config, history=(History(created_by="older"),), architecture="arm", variant="v7"
    )
    from dockerception.oci import config as oci_config

    image = msgspec.structs.replace(base.image, config_bytes=oci_config.encode(older))
    stage = evaluate("FROM base\nCMD x", images={"base": msgspec.structs.replace(base, image=image)})
    found = image_config(stage, StageState(key="k", layers=()), Settings(platform=Platform("linux", "amd64"), epoch=1))
    assert [item.created_by for item in found.history] == ["older", 'CMD ["/bin/sh" "-c" "x"]']
    assert (found.architecture, found.variant) == ("arm", "v7")


def test_a_fixed_epoch_is_the_time_of_all_that_the_dockerfile_adds() -> None:
    stage = evaluate("FROM scratch\nCOPY a /a\nENV A=b\nCOPY b /b\n")
    state = StageState(key="k", layers=("one", "two"), created=(100, 200))
    settings = Settings(platform=Platform("linux", "amd64"), epoch=1_000_000_000, is_epoch_fixed=True)
    found = image_config(stage, state, settings)
    times = {found.created, *(item.created for item in found.history)}
    assert times == {"2001-09-09T01:46:40Z"}
