"""What is written is read back, nothing else is believed, and what an original image left is read too."""

import io
import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import example
from algoport.algorithms.image_classification.model import Model
from algoport.algorithms.image_classification.options import Options
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.vision.decoding import decode, encode
from algoport.algorithms.shared.vision.transforms import resize_to
from tests.algorithms.image_classification.jobs import fit


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(epochs=1)


def test_probabilities_are_one_a_class_and_sum_to_one(model):
    probabilities = model.predict(example.channels()["train"])["prediction"]

    assert probabilities.shape == (24, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_a_picture_of_another_size_is_brought_to_that_of_the_network(model):
    """Whatever that does to its proportions."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 13, 3)).astype(np.uint8)

    probabilities = model.predict(Images(encoded=[encode(pixels)]))["prediction"]

    same = model.predict(Images(encoded=[encode(resize_to(pixels, 8, 8))]))["prediction"]
    np.testing.assert_array_equal(probabilities, same)


def test_a_picture_is_prepared_as_those_of_validation_where_a_request_asks(model, tmp_path):
    """The shorter side, which the model file holds, and the center."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 13, 3)).astype(np.uint8)
    replace(model, resize=10).save(tmp_path)
    asked, records = Options(preparation="center"), Images(encoded=[encode(pixels)])

    probabilities = Model.load(tmp_path).predict(records, asked)["prediction"]

    tall = resize_to(pixels, 15, 10)
    same = model.predict(Images(encoded=[encode(np.ascontiguousarray(tall[4:12, 1:9]))]))["prediction"]
    np.testing.assert_allclose(probabilities, same, rtol=1e-6)
    assert not np.array_equal(probabilities, model.predict(records)["prediction"])


def test_a_picture_too_small_or_too_long_for_validation_is_refused_in_a_request(model):
    asked = Options(preparation="center")
    small, long = np.zeros((5, 13, 3), np.uint8), np.zeros((1, 4000, 3), np.uint8)

    with pytest.raises(UserError, match="image 1: must have at least 8 x 8 pixels"):
        model.predict(Images(encoded=[encode(small)]), asked)
    with pytest.raises(UserError, match="would have 4000000000"):
        replace(model, resize=1000).predict(Images(encoded=[encode(long)]), asked)


def test_a_gray_picture_is_taken_as_one_of_colors(model):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 1)).astype(np.uint8)

    answer, same = (model.predict(Images(encoded=[encode(each)])) for each in (pixels, np.repeat(pixels, 3, axis=2)))

    np.testing.assert_array_equal(answer["prediction"], same["prediction"])


def test_the_sample_can_be_asked_about(model):
    assert decode(model.sample().encoded[0], 3, "").shape == (8, 8, 3)
    assert len(model.predict(model.sample())["prediction"]) == 1


def test_a_picture_that_is_none_is_reported(model):
    with pytest.raises(UserError, match="image 1: must be a JPEG, PNG or WebP"):
        model.predict(Images(encoded=[b"no picture"]))


@pytest.mark.parametrize(
    ("fact", "value", "message"),
    [
        ("algorithm", "kmeans", "is a model of kmeans"),
        ("num_layers", 19, "num_layers must be one of"),
        ("num_layers", "20", "num_layers must be one of"),
        ("num_classes", 10**9, "num_classes must be a whole number"),
        ("num_classes", 3, "'fc1_weight' must be float32 of shape"),
        ("image_shape", [3, 8], "image_shape must be three numbers"),
        ("image_shape", [3, 8, 10**6], "width must be a whole number"),
        ("image_shape", [1, 8, 8], "must be float32 of shape"),
        ("validation_accuracy", "much", "validation_accuracy must be a number"),
        ("epoch", -1, "epoch must be a whole number"),
        ("preprocessing", {"validation": {"shorter_side": 0}}, "shorter_side of preprocessing must be a whole number"),
    ],
)
def test_facts_that_do_not_fit_are_reported(model, fact, value, message, tmp_path):
    model.save(tmp_path)
    facts = json.loads((tmp_path / artifact.FACTS).read_text())
    (tmp_path / artifact.FACTS).write_text(json.dumps({**facts, fact: value}))

    with pytest.raises(UserError, match=message):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("bn1_gamma"), "has no array 'bn1_gamma'"),
        (lambda arrays: arrays.update(more=np.zeros(3, np.float32)), "has an array 'more'"),
        (lambda arrays: arrays["fc1_bias"].fill(np.nan), "'fc1_bias' must be finite"),
        (lambda arrays: arrays["bn1_moving_var"].fill(-1), "variances not negative"),
        (lambda arrays: arrays.update(fc1_bias=np.zeros(2)), "'fc1_bias' must be float32"),
        (lambda arrays: arrays.update({"epoch0001.fc1_bias": np.zeros(2, np.float32)}), "has no array"),
    ],
)
def test_arrays_that_do_not_fit_are_reported(model, change, message, tmp_path):
    model.save(tmp_path)
    arrays, facts = artifact.load(tmp_path)
    change(arrays)
    artifact.save(tmp_path, arrays, {key: value for key, value in facts.items() if key != "format_version"})

    with pytest.raises(UserError, match=message):
        Model.load(tmp_path)


def written_by_mxnet(arrays: dict[str, np.ndarray]) -> bytes:
    """A file as `mx.nd.save` writes it: a list of arrays, and their names."""
    out = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        out += struct.pack("<IiI", 0xF993FAC9, 0, array.ndim) + struct.pack(f"<{array.ndim}q", *array.shape)
        out += struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes()
    out += struct.pack("<Q", len(arrays))
    return out + b"".join(struct.pack("<Q", len(name)) + name.encode() for name in arrays)


def original(folder, model, *, epoch: int = 7) -> None:
    names = {name: "aux" if "moving" in name else "arg" for name in model.weights}
    arrays = {f"{names[name]}:{name}": array for name, array in model.weights.items()}
    (folder / f"image-classification-{epoch:04d}.params").write_bytes(written_by_mxnet(arrays))
    shapes = [{"name": "data", "shape": [1, 3, 8, 8]}]
    (folder / "model-shapes.json").write_text(json.dumps(shapes))
    (folder / "image-classification-symbol.json").write_text(json.dumps({"nodes": [{"op": "SoftmaxOutput"}]}))


def test_what_an_original_image_left_is_read(model, tmp_path):
    original(tmp_path, model, epoch=3)
    original(tmp_path, model, epoch=12)

    loaded = Model.load(tmp_path)

    assert (loaded.num_layers, loaded.num_classes, loaded.epoch, loaded.multi_label) == (20, 2, 12, False)
    rows = example.channels()["train"]
    np.testing.assert_array_equal(loaded.predict(rows)["prediction"], model.predict(rows)["prediction"])


def test_pictures_are_turned_upright_but_for_a_network_of_an_original_image(model, tmp_path):
    """Which was trained on pictures as they are stored; a model of ours says what it was trained on."""
    from PIL import Image

    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (8, 8, 3), np.uint8)).save(file, "JPEG", exif=exif)
    stored = decode(file.getvalue(), 3, "", upright=False)
    original(tmp_path, model)
    theirs = Model.load(tmp_path)
    theirs.save(tmp_path / "again")
    model.save(tmp_path / "ours")

    for asked, pixels in (
        (model, np.rot90(stored, -1)),
        (Model.load(tmp_path / "ours"), np.rot90(stored, -1)),
        (theirs, stored),
        (Model.load(tmp_path / "again"), stored),
    ):
        answer = asked.predict(Images(encoded=[file.getvalue()]))["prediction"]
        want = asked.predict(Images(encoded=[encode(np.ascontiguousarray(pixels))]))["prediction"]
        np.testing.assert_array_equal(answer, want)
    assert not np.array_equal(stored, np.rot90(stored, -1))


def test_what_an_original_image_left_in_part_is_reported(model, tmp_path):
    original(tmp_path, model)
    (tmp_path / "model-shapes.json").unlink()

    with pytest.raises(UserError, match=r"model-shapes\.json: is missing"):
        Model.load(tmp_path)


def test_a_folder_without_a_model_is_reported(tmp_path):
    with pytest.raises(UserError, match="there is no model"):
        Model.load(tmp_path)
