"""Images and names."""

from __future__ import annotations

import hashlib
import os

import pytest

from dockerception.errors import ImageNotFoundError, StoreError, UsageError
from dockerception.reference import Platform, Reference
from dockerception.store.images import StoredImage
from dockerception.store.store import Store
from unit.store.things import add_blob_layer, add_tree_layer, config, prune

APP = Reference.parse("app")
OTHER = Reference.parse("other")
FOREIGN = Platform("linux", "s390x" if Platform.host().architecture != "s390x" else "amd64")


def _add(store: Store, number: int = 0, *names: Reference) -> StoredImage:
    return store.images.add(config(number), [add_blob_layer(store, f"layer {number}").layer], names)


def _for(store: Store, number: int, architecture: str) -> StoredImage:
    document = config(number, Platform("linux", architecture))
    return store.images.add(document, [add_blob_layer(store, f"layer {number}").layer])


def _reopened(root: str, text: str) -> StoredImage | None:
    with Store(root) as other:
        return other.images.find(text)


def test_an_image_is_its_config_and_its_layers(store: Store, root: str) -> None:
    layers = [add_blob_layer(store).layer, add_tree_layer(store).layer]
    image = store.images.add(config(), layers, [APP])
    assert image.image == "sha256:" + hashlib.sha256(config()).hexdigest()
    assert image.layers == tuple(layers)
    assert image.platform == str(Platform.host())
    assert image.config.author == "author 0"
    assert image.created > 0
    assert _reopened(root, "app") == image
    assert store.images.find_id(image.image) == image


def test_adding_it_again_changes_nothing(store: Store) -> None:
    image = _add(store, 0, APP)
    assert _add(store, 0, APP) == image
    assert store.images.names_of(image.image) == [str(APP)]
    assert len(store.images.all()) == 1


@pytest.mark.parametrize("form", ["{name}", "docker.io/library/{name}:latest", "{id}", "{digits}", "{short}"])
def test_an_image_is_found_by(store: Store, form: str) -> None:
    image = _add(store, 0, APP)
    digits = image.image.removeprefix("sha256:")
    text = form.format(name="app", id=image.image, digits=digits, short=digits[:4])
    assert store.images.find(text) == image
    assert store.images.get(text) == image


@pytest.mark.parametrize("text", ["nothing", "abc", "", "UPPER", "sha256:", "app:other", "caf\udce9", "0000", "0*00"])
def test_an_image_is_not_found_by(store: Store, text: str) -> None:
    _add(store, 0, APP)
    assert store.images.find(text) is None
    with pytest.raises(ImageNotFoundError) as caught:
        store.images.get(text)
    assert caught.value.hint


def test_the_beginning_of_several_ids_is_no_id(store: Store) -> None:
    numbers: dict[str, int] = {}
    for number in range(10_000):
        digits = hashlib.sha256(config(number)).hexdigest()[:4]
        if digits in numbers:
            break
        numbers[digits] = number
    for each in (number, numbers[digits]):
        store.images.add(config(each), [])
    with pytest.raises(UsageError) as caught:
        store.images.find(digits)
    assert "2 image ids" in caught.value.message
    assert store.images.find(hashlib.sha256(config(number)).hexdigest()) is not None


def test_a_name_moves_to_the_newer_image(store: Store) -> None:
    first, second = _add(store, 1, APP), _add(store, 2, APP)
    assert store.images.find_name(APP) == second
    assert store.images.names_of(first.image) == []
    assert store.images.find_id(first.image) == first


def test_a_name_has_one_image_a_platform(store: Store) -> None:
    host = store.images.add(config(1), [], [APP])
    foreign = store.images.add(config(2, FOREIGN), [], [APP])
    assert store.images.find_name(APP) == host
    assert store.images.find_name(APP, FOREIGN) == foreign
    assert store.images.find_name(APP, Platform("linux", "riscv64")) is None


def test_the_only_platform_there_is_will_do_if_none_is_asked_for(store: Store) -> None:
    foreign = store.images.add(config(2, FOREIGN), [], [APP])
    assert store.images.find_name(APP) == foreign
    assert store.images.find_name(APP, Platform.host()) is None


def test_more_names(store: Store) -> None:
    image = _add(store, 0, OTHER)
    store.images.name(image, APP)
    assert store.images.names_of(image.image) == [str(APP), str(OTHER)]
    assert store.images.find_name(APP) == image


def test_an_image_that_is_gone_gets_no_name(store: Store) -> None:
    image = _add(store)
    store.images.remove(image.image)
    with pytest.raises(ImageNotFoundError):
        store.images.name(image, APP)
    assert store.images.find_name(APP) is None


def test_an_image_goes_with_its_last_name(store: Store) -> None:
    image = _add(store, 0, APP, OTHER)
    assert store.images.remove_name(APP) == []
    assert store.images.find_name(APP) is None
    assert store.images.find_name(OTHER) == image
    with pytest.raises(ImageNotFoundError, match="app:latest"):
        store.images.remove_name(APP)
    assert store.images.remove_name(OTHER) == [image.image]
    assert store.images.find(image.image) is None


def test_a_name_is_for_the_platforms_that_it_was_given_for(store: Store) -> None:
    old = [_for(store, 0, "amd64"), _for(store, 1, "arm64"), _for(store, 2, "s390x")]
    store.images.name_all(old, [APP, OTHER])
    assert {image.platform for image in store.images.find_all(APP)} == {"linux/amd64", "linux/arm64", "linux/s390x"}
    new = [_for(store, 3, "arm64"), _for(store, 4, "amd64")]
    store.images.name_all(new, [APP])
    assert store.images.find_all(APP) == [new[1], new[0]]
    assert store.images.find_name(APP, Platform("linux", "s390x")) is None
    assert [image.image for image in store.images.find_all(OTHER)] == [image.image for image in old]
    assert store.images.remove_name(APP) == [new[1].image, new[0].image]


def test_images_that_are_gone_get_no_name_together(store: Store) -> None:
    kept, gone = _for(store, 0, "amd64"), _for(store, 1, "arm64")
    store.images.remove(gone.image)
    with pytest.raises(ImageNotFoundError):
        store.images.name_all([kept, gone], [APP])
    assert store.images.find_all(APP) == []


def test_removing_an_image_takes_its_names_along(store: Store, root: str) -> None:
    image = _add(store, 0, APP, OTHER)
    store.images.remove(image.image)
    store.images.remove(image.image)
    assert store.images.find("app") is None
    assert store.images.find(image.image) is None
    assert store.images.all() == []
    store.close()
    assert f"blob:{image.image}" in prune(root)


def test_other_layers_replace_those_of_last_time(store: Store, root: str) -> None:
    first = _add(store, 0, APP)
    new = add_tree_layer(store)
    second = store.images.add(config(0), [new.layer], [APP])
    assert second.image == first.image
    assert _reopened(root, "app") == second
    store.close()
    assert f"layer:{first.layers[0]}" in prune(root)
    assert _reopened(root, "app") == second


def test_an_image_needs_its_layers(store: Store) -> None:
    with pytest.raises(StoreError, match="gone"):
        store.images.add(config(), ["cafe"], [APP])
    assert store.images.find("app") is None
    assert store.images.all() == []


def test_an_image_whose_files_are_gone_is_not_found_until_it_is_added_again(store: Store) -> None:
    image = _add(store, 0, APP)
    layer = store.layers.get(image.layers[0])
    os.unlink(store.blobs.path(layer.diff_id))
    assert store.images.find("app") is None
    assert store.images.all() == []
    assert _add(store, 0, APP) == image
    assert store.images.find("app") == image


def test_an_image_with_a_damaged_config_is_not_found_until_it_is_added_again(store: Store) -> None:
    image = _add(store, 0, APP)
    with open(store.blobs.path(image.image), "r+b") as file:
        file.write(b"X")
    assert store.images.find("app") is None
    assert _add(store, 0, APP) == image
    assert store.images.find("app") == image


def test_all_images_newest_first_with_their_names(store: Store, root: str) -> None:
    first, second = _add(store, 1), _add(store, 2, OTHER, APP)
    with Store(root) as other:
        listed = [(each.image, each.names) for each in other.images.all()]
        assert listed == [(second, (str(APP), str(OTHER))), (first, ())]
        store.close()
        assert prune(root) == set()  # the list is held
