"""Object detection beside torchvision: steps, boxes, whole jobs on pictograms; answers beside ONNX Runtime, OpenVINO.

    python -m benchmarks.object_detection             steps, boxes and answers
    python -m benchmarks.object_detection --all       whole jobs, too, which take minutes

Pictures are those of `object_detection_scenes`; the peers' networks and loops stand in `object_detection_twin`.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import first
from benchmarks import object_detection_scenes as scenes
from benchmarks.data import Missing
from benchmarks.measure import US, Case, Laps, Row, main, race

TORCHVISION, RUNTIME, OPENVINO = "torchvision", "onnxruntime", "openvino"
SIDE, CLASSES = 300, len(scenes.CLASSES)
BATCH, RATE = 4, 0.001  # of steps
COUNT, KINDS = 32, 20  # pictures and classes of the race of boxes, as Pascal VOC has
MATCHING, SUPPRESSION = "targets: match, hard negatives, offsets", "detections: select, decode, suppress"
# A whole job: the schedule that the algorithm's page recommends to start from random weights.
JOB: dict[str, object] = {
    "base_network": "resnet-50",
    "width_multiplier": 0.125,
    "mini_batch_size": 8,
    "epochs": 24,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "lr_scheduler_step": "18",
}
TRAINED, TESTED = 320, 128  # pictures of it
ASKED = 51


def settings(**more: object) -> Any:
    """Of a job on pictograms."""
    from algoport.algorithms.object_detection.hyperparameters import Hyperparameters

    given = {"num_classes": CLASSES, "num_training_samples": 10**6, "learning_rate": RATE, "use_pretrained_model": 0}
    return Hyperparameters.read({**given, **more})


def prepared(boxes: Any, given: Any, epoch: int = 0) -> list[Any]:
    """The batches of an epoch as a job prepares them: both competitors get the same pixels and boxes."""
    from algoport.algorithms.contract import Memory
    from algoport.algorithms.object_detection import input

    size = given.mini_batch_size
    return list(input.training(Memory(boxes), given, size=size, seed=0, epoch=epoch, step=0))


def steps(base: str, kind: str, goal: float | None, laps: int = 3) -> list[Row]:
    """A step on the same pixels."""
    from algoport.algorithms.contract import Job
    from algoport.algorithms.object_detection.train import Learner
    from benchmarks import object_detection_twin as twin

    given = settings(base_network=base, mini_batch_size=BATCH, precision_dtype=kind)
    (batch,) = prepared(scenes.training(BATCH), given)
    network = twin.detector(given.layers)
    network.train()
    their_step, theirs = twin.loop(network, given), (twin.images(batch.pixels), _wanted(batch))
    job: Any = Job(hyperparameters=given, channels={})
    learner = Learner(job)
    learner.initialize()
    learner.network.train()

    def ours() -> float:
        sums = learner.update(batch)
        return float(sums[0] / sums[1])

    done = race({TORCHVISION: lambda: their_step(*theirs, RATE), US: ours}, laps=laps)
    speeds = [BATCH / done[name].median for name in (US, TORCHVISION)]
    return [
        Row(
            case=f"a step of SSD{SIDE} on {base}, {BATCH} pictures, {kind} beside float32",
            peer=TORCHVISION, ours=done[US], peers=done[TORCHVISION], goal=goal,
            metric="class loss", better="lower",
            quality=float(done[US].result), peer_quality=float(done[TORCHVISION].result),
            note=f"{speeds[0]:.2f} pictures a second beside {speeds[1]:.2f}; pixels, boxes and rates alike, first "
            "weights each its own.",
        )
    ]  # fmt: skip


def _wanted(batch: Any) -> Any:
    from benchmarks import object_detection_twin as twin

    return twin.wanted(batch.objects, batch.pixels.shape[1])


def boxes() -> list[Row]:
    """Targets of a batch and detections from scores, beside torchvision's operators."""
    import torch

    from algoport.algorithms.object_detection.layers import Layers
    from algoport.algorithms.shared.vision.boxes import Assignment, Selection, detections, targets
    from benchmarks import object_detection_twin as twin

    anchors = Layers(base="vgg-16", side=SIDE, num_classes=KINDS).anchors()
    random, how = np.random.default_rng(0), Selection()
    scores = random.normal(0, 1, (COUNT, len(anchors), KINDS + 1)).astype(np.float32)
    scores[..., 0] += random.choice([7.0, 0.0], scores.shape[:2], p=[0.97, 0.03]).astype(np.float32)
    offsets = random.normal(0, 0.5, (COUNT, len(anchors), 4)).astype(np.float32)
    objects = [_objects(random, 1 + number % 10) for number in range(COUNT)]
    tensors: Any = [torch.from_numpy(each) for each in (anchors, scores, offsets)]
    theirs: Any = [torch.from_numpy(each) for each in objects]
    work: dict[str, dict[str, Callable[[], Any]]] = {
        MATCHING: {
            TORCHVISION: lambda: np.asarray(twin.targets(tensors[0], theirs, tensors[1])[0]),
            US: lambda: targets(anchors, objects, scores, Assignment())[0],
        },
        SUPPRESSION: {
            TORCHVISION: lambda: [each.numpy() for each in twin.detections(*tensors, how)],
            US: lambda: detections(anchors, scores, offsets, how),
        },
    }
    done = {name: race(competitors) for name, competitors in work.items()}
    alike = {
        MATCHING: float((done[MATCHING][US].result == done[MATCHING][TORCHVISION].result).mean()),
        SUPPRESSION: _alike(done[SUPPRESSION][US].result, done[SUPPRESSION][TORCHVISION].result),
    }
    sums = {name: Laps([sum(pair) for pair in zip(*(done[what][name].seconds for what in work), strict=True)], None)
            for name in (US, TORCHVISION)}  # fmt: skip
    operators = "compiled ones" if twin.compiled() else "Python, as its compiled operators do not go with this torch"
    note = f"Pictures of 1 to 10 objects, {KINDS} classes. Its suppression is that of {operators}."
    shape = f"{COUNT} pictures of {len(anchors):,} anchors"
    return [
        Row(case=f"matching and suppression, {shape}", peer=TORCHVISION, ours=sums[US], peers=sums[TORCHVISION],
            goal=20.0, note=note),
        *(
            Row(case=f"{name}, {shape}", peer=TORCHVISION, ours=done[name][US], peers=done[name][TORCHVISION],
                metric="entries alike", better="higher", quality=alike[name], peer_quality=1.0)
            for name in work
        ),
    ]  # fmt: skip


def _objects(random: np.random.Generator, count: int) -> Any:
    """Class and corners of so many objects."""
    low = random.uniform(0, 0.7, (count, 2))
    high = low + random.uniform(0.1, 0.3, (count, 2))
    return np.column_stack([random.integers(0, KINDS, count), low, high]).astype(np.float32)


def _alike(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    """The share of the detections of both that the other has, too: class and score to four digits."""
    both, either = 0, 0
    for one, other in zip(ours, theirs, strict=True):
        sets = [{(int(row[0]), round(float(row[1]), 4)) for row in rows} for rows in (one, other)]
        both, either = both + len(sets[0] & sets[1]), either + len(sets[0] | sets[1])
    return both / max(either, 1)


@cache
def random_model(base: str) -> Any:
    """A model of random weights, whose heads answer with many detections."""
    from algoport.algorithms.object_detection.model import Model
    from algoport.algorithms.object_detection.network import arrays, build, initialize

    given = settings(base_network=base)
    network = build(given.layers, lambda sums: None)
    initialize(network, 0)
    return Model(base_network=base, num_classes=CLASSES, image_shape=SIDE, weights=arrays(network))


def answers(base: str) -> list[Row]:
    """From the pixels of one picture to its detections, beside whatever reads the ONNX file and is installed."""
    from algoport.algorithms.shared.vision.boxes import Selection, detections

    model, how = random_model(base), Selection(least=0.05)
    pixels = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3)).astype(np.uint8)
    given = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)
    competitors: dict[str, Callable[[], Any]] = {}
    for name, start in ((RUNTIME, _onnxruntime), (OPENVINO, _openvino)):
        if importlib.util.find_spec(name) is not None:
            competitors[name] = partial(_selected, start(model.onnx()), given, how)
    if not competitors:
        raise Missing("onnxruntime is not installed: pip install onnxruntime")

    def ours() -> Any:
        scores, offsets = model._predictor.scores(pixels)
        return detections(model.anchors, scores, offsets, how)

    done = race({**competitors, US: ours}, laps=11, warm=2)
    return [
        Row(
            case=f"the detections in a picture of {SIDE} x {SIDE} by SSD on {base}",
            peer=name, ours=done[US], peers=done[name], goal=1.0, metric="detections alike", better="higher",
            quality=_alike(done[US].result, done[name].result), peer_quality=1.0,
        )
        for name in competitors
    ]  # fmt: skip


def _selected(run: Callable[[Any], Any], given: Any, how: Any) -> Any:
    """What is left of a file's probabilities and corners, selected and suppressed by our kernels."""
    from algoport.algorithms.shared.vision.kernels import boxes as kernels

    probabilities, corners = run(given)
    rows = []
    for own, places in zip(probabilities, corners, strict=True):
        anchor, class_ = np.empty(how.most, np.int32), np.empty(how.most, np.int32)
        best = np.empty(how.most, np.float32)
        scores = np.log(np.maximum(own, np.float32(1e-30)))
        count = kernels.candidates(scores, np.float32(how.least), how.most, anchor, class_, best)
        chosen, survives = np.ascontiguousarray(places[anchor[:count]]), np.empty(count, np.bool_)
        kernels.suppress(chosen, class_[:count], np.float32(how.overlap), False, survives)
        survives &= (chosen[:, 2] > chosen[:, 0]) & (chosen[:, 3] > chosen[:, 1])
        rows.append(np.column_stack([class_[:count], best[:count], chosen])[survives])
    return rows


def _onnxruntime(file: bytes) -> Callable[[Any], Any]:
    import onnxruntime

    from algoport.algorithms.shared.machine import cores

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(file, options)
    return lambda given: session.run(None, {"data": given})


def _openvino(file: bytes) -> Callable[[Any], Any]:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda given: list(compiled(given).values())


def first_answer(base: str) -> list[Row]:
    """A JPEG file, the first that a new process answers and the median of those after it."""
    with tempfile.TemporaryDirectory() as folder:
        random_model(base).save(Path(folder))
        done = first.answers("object-detection", Path(folder), scenes.training(1).encoded[0], "image/jpeg", ASKED)
    note = (
        f"The model is loaded and warm after {statistics.median(done.ready):.2f} s; the median of "
        f"{ASKED - 1} answers after it is {1000 * statistics.median(done.median):.0f} ms."
    )
    return [
        Row(case=f"the first answer of a new process, {SIDE} x {SIDE} by SSD on {base}", peer="goal",
            ours=Laps(done.first, None), peers=Laps([1.0], None), goal=1.0, note=note)
    ]  # fmt: skip


def whole(seed: int = 0, **more: object) -> list[Row]:
    """A job from random weights beside torchvision's loop: the same pixels, epochs, batches and rates; average
    precision on pictures whose photographs neither has seen."""
    train, test = scenes.training(TRAINED), scenes.test(TESTED)
    given = settings(**{**JOB, "num_training_samples": TRAINED, **more})

    jobs = {TORCHVISION: their_job, US: our_job}
    laps = race({name: partial(job, given, train, test, seed) for name, job in jobs.items()}, laps=1, warm=0)
    return [
        Row(
            case=f"{given.epochs} epochs of SSD on {given.base_network}, width {given.width_multiplier:g}, "
            f"{TRAINED} pictures of pictograms, from random weights, seed {seed}",
            peer=TORCHVISION, ours=laps[US], peers=laps[TORCHVISION], metric="AP50 of other pictures", better="higher",
            quality=float(laps[US].result), peer_quality=float(laps[TORCHVISION].result), quality_goal=0.99,
            note=f"{TESTED} pictures to test on, whose photographs no training picture shows.",
        )
    ]  # fmt: skip


def precision(detect: Callable[[Any], Sequence[Any]], pictures: Any) -> float:
    """The mean over the classes of the average precision of boxes that overlap by half."""
    from algoport.algorithms.shared.vision.average_precision import curves, mean, verdicts

    rows, counts = [], np.zeros(CLASSES)
    for detected, objects in zip(detect(pictures), pictures.objects, strict=True):
        own = verdicts(detected, objects, np.zeros(len(objects), bool), 0.5)
        rows.append(np.column_stack([detected[:, :2], own]))
        np.add.at(counts, objects[:, 0].astype(int), 1.0)
    return mean(curves(np.concatenate(rows).astype(np.float64), counts))


def our_job(given: Any, train: Any, test: Any, seed: int) -> float:
    """Train; the average precision on other pictures."""
    from algoport.algorithms.contract import Job, Memory
    from algoport.algorithms.object_detection.train import fit

    job: Any = Job(hyperparameters=given, channels={"train": Memory(train)}, seed=seed)
    model = fit(job)
    return precision(lambda batch: model.detect(batch, model.selection()), test)


def their_job(given: Any, train: Any, test: Any, seed: int) -> float:
    """The same by torchvision's loop."""
    import torch

    from algoport.algorithms.contract import Memory
    from algoport.algorithms.object_detection import input
    from algoport.algorithms.object_detection.optimization import learning_rate
    from algoport.algorithms.shared.vision.boxes import Selection, detections
    from benchmarks import object_detection_twin as twin

    torch.manual_seed(seed)
    network = twin.detector(given.layers)
    step, updates = twin.loop(network, given), 0
    network.train()
    for epoch in range(given.epochs):
        source = Memory(train)
        for batch in input.training(source, given, size=given.mini_batch_size, seed=seed, epoch=epoch, step=0):
            step(twin.images(batch.pixels), _wanted(batch), learning_rate(given, updates))
            updates += 1
    network.eval()

    def detect(pictures: Any) -> list[Any]:
        rows: list[Any] = []
        for batch in input.validation(Memory(pictures), given):
            anchors, scores, offsets = twin.outputs(network, twin.images(batch.pixels))
            rows += detections(anchors, scores, offsets, Selection())
        return rows

    return precision(detect, test)


CASES = [
    Case("steps vgg-16 float32", partial(steps, "vgg-16", "float32", 1.3)),
    Case("steps vgg-16 float16", partial(steps, "vgg-16", "float16", 1.5)),
    Case("steps resnet-50 float32", partial(steps, "resnet-50", "float32", 1.3, 5)),
    Case("steps resnet-50 float16", partial(steps, "resnet-50", "float16", 1.5, 5)),
    Case("boxes", boxes),
    *(Case(f"answers {base}", partial(answers, base)) for base in ("vgg-16", "resnet-50")),
    *(Case(f"first answer {base}", partial(first_answer, base)) for base in ("vgg-16", "resnet-50")),
    *(Case(f"whole {seed}", partial(whole, seed), promised=False) for seed in range(3)),
]


if __name__ == "__main__":
    from algoport.algorithms.shared import compiled

    compiled.prepare()
    sys.exit(main("object_detection", CASES))
