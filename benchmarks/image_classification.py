"""Image classification beside torchvision: steps, decoding, whole jobs on pictograms, and answers.

    python -m benchmarks.image_classification             beside torchvision
    python -m benchmarks.image_classification --fashion   the small network on Fashion-MNIST, and how long it takes

The pictograms are those of the npm package emoji-datasource-google, in the folder that NODE_MODULES names.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import Missing
from benchmarks.data import fashion as clothes
from benchmarks.measure import US, Case, Row, main, race
from benchmarks.peers import torchvision

PEER = "torchvision"
SIDE, BATCH, STEPS = 224, 32, 4
EPOCHS, SMALL = 12, 64  # of whole jobs on pictograms, at this many pixels
FASHION: dict[str, object] = {
    "num_layers": 20,
    "image_shape": "1,28,28",
    "num_classes": 10,
    "num_training_samples": 60_000,
    "mini_batch_size": 128,
    "epochs": 13,
    "learning_rate": 0.1,
    "lr_scheduler_step": "8,10,12",
    "lr_scheduler_factor": 0.2,
    "augmentation_type": "crop",
    "resize": 31,
    "precision_dtype": "float16",
}


@cache
def pictograms() -> tuple[Any, Any]:
    """A training and a validation set of pictures with one of nine classes, every fifth for validation."""
    from algoport.algorithms.contract.records import Images

    root = Path(os.environ.get("NODE_MODULES", "node_modules")) / "emoji-datasource-google"
    entries = json.loads((root / "emoji.json").read_text())
    pictures = [entry for entry in entries if entry["has_img_google"] and entry["category"] != "Component"]
    classes = sorted({entry["category"] for entry in pictures})
    order = np.random.default_rng(0).permutation(len(pictures))
    files = [(root / "img/google/64" / pictures[number]["image"]).read_bytes() for number in order]
    label = np.array([[classes.index(pictures[number]["category"])] for number in order], np.float32)
    whole = Images(encoded=files, label=label)
    fifth = np.arange(len(files)) % 5 == 0
    return whole.take(np.flatnonzero(~fifth)), whole.take(np.flatnonzero(fifth))


def pixels(images: Any, side: int) -> Any:
    """Decoded, (n, side, side, 3)."""
    from algoport.algorithms.shared.vision.decoding import decode
    from algoport.algorithms.shared.vision.transforms import resize_to

    return np.stack([resize_to(decode(data, 3, ""), side, side) for data in images.encoded])


def normalize(given: Any) -> Any:
    """As the reference's transforms leave pictures: (n, 3, h, w) about zero."""
    import torch

    whole = torch.from_numpy(given).permute(0, 3, 1, 2).float().div_(255)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return whole.sub_(mean.view(1, 3, 1, 1)).div_(deviation.view(1, 3, 1, 1)).contiguous()


def their_loop(classes: int, rate: float) -> tuple[Any, Callable[[Any, Any], float]]:
    """ResNet-18 and a step of the reference's training loop."""
    import torch

    torch.manual_seed(0)
    network = torchvision().models.resnet18(num_classes=classes)
    optimizer = torch.optim.SGD(network.parameters(), rate, momentum=0.9, weight_decay=1e-4)
    criterion = torch.nn.CrossEntropyLoss()

    def step(images: Any, wanted: Any) -> float:
        loss = criterion(network(images), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return network, step


def our_loop(classes: int, rate: float, kind: str) -> Callable[[Any, Any], float]:
    """The step of a job, from pixels as they are decoded."""
    from algoport.algorithms.contract import Job
    from algoport.algorithms.contract.records import Images
    from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
    from algoport.algorithms.image_classification.train import Learner
    from algoport.algorithms.shared.vision.prefetch import Batch

    given = {"num_classes": classes, "num_training_samples": 10**6, "num_layers": 18, "learning_rate": rate}
    job: Any = Job(hyperparameters=Hyperparameters.read({**given, "precision_dtype": kind}), channels={})
    learner = Learner(job)
    learner.initialize()
    learner.network.train()

    def step(images: Any, wanted: Any) -> float:
        batch = Batch(pixels=images, label=wanted, places=Images(encoded=[]))
        return float(learner.update(batch)[0]) / len(images)

    return step


def steps(kind: str, goal: float) -> list[Row]:
    """As many steps on the same pictures, and the loss that they come to."""
    import torch

    train, _ = pictograms()
    some = train[: BATCH * STEPS]
    own, wanted = pixels(some, SIDE), some.label
    theirs = normalize(own)
    classes, parts = 9, [slice(first, first + BATCH) for first in range(0, len(own), BATCH)]
    _, their_step = their_loop(classes, 0.01)
    our_step = our_loop(classes, 0.01, kind)
    target = torch.from_numpy(wanted[:, 0].astype(np.int64))
    laps = race(
        {
            PEER: lambda: [their_step(theirs[part], target[part]) for part in parts],
            US: lambda: [our_step(own[part], wanted[part]) for part in parts],
        },
        laps=5,
    )
    return [
        Row(
            case=f"{STEPS} steps of ResNet-18 at {SIDE}, {BATCH} pictures each, {kind} beside float32",
            peer=PEER, ours=laps[US], peers=laps[PEER], goal=goal, metric="loss of the last pass", better="lower",
            quality=float(np.mean(laps[US].result)), peer_quality=float(np.mean(laps[PEER].result)),
            note=f"{len(own) / laps[US].median:.1f} pictures a second beside {len(own) / laps[PEER].median:.1f}. "
            "The reference's network normalizes behind its convolutions and ours in front of them; as many products.",
        )
    ]  # fmt: skip


def photographs(count: int = 256) -> list[bytes]:
    """JPEG files of 500 x 375, as photographs of data sets are: smooth, with some noise."""
    from algoport.algorithms.shared.vision.decoding import encode

    random = np.random.default_rng(0)
    y, x = np.mgrid[:375, :500]
    files = []
    for _ in range(count):
        waves = random.uniform(0.005, 0.08, (3, 2))
        colors = [127 + 90 * np.sin(x * a + y * b) + random.normal(0, 6, x.shape) for a, b in waves]
        files.append(encode(np.stack(colors, axis=2).clip(0, 255).astype(np.uint8), 90))
    return files


class _Set:
    """The photographs as the reference's data set."""

    def __init__(self, files: Sequence[bytes]) -> None:
        transforms = torchvision().transforms
        chain = [transforms.Resize(256), transforms.RandomCrop(SIDE), transforms.RandomHorizontalFlip()]
        self._chain = transforms.Compose([*chain, transforms.PILToTensor()])
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number: int) -> Any:
        from PIL import Image

        return self._chain(Image.open(io.BytesIO(self._files[number])).convert("RGB"))


def decoding() -> list[Row]:
    """From JPEG files to cropped, mirrored pixels, with as many threads as the reference has processes."""
    from torch.utils.data import DataLoader

    from algoport.algorithms.contract.records import Images
    from algoport.algorithms.image_classification.preparation import DRAWS, Preparation
    from algoport.algorithms.shared.machine import cores
    from algoport.algorithms.shared.vision.prefetch import prepare_ahead
    from algoport.algorithms.shared.vision.transforms import draws

    files = photographs()
    loader = DataLoader(
        _Set(files), batch_size=BATCH, num_workers=cores(), persistent_workers=True, multiprocessing_context="fork"
    )
    preparation = Preparation(channels=3, height=SIDE, width=SIDE, resize=256, augmentation="crop")

    def ours() -> int:
        parts = (Images(encoded=files[first : first + BATCH]) for first in range(0, len(files), BATCH))

        def prepare(number: int) -> Any:
            random = draws(0, 0, np.arange(number * BATCH, (number + 1) * BATCH), DRAWS)
            return lambda given, at, place: preparation.training(given, random[at], place)

        return sum(len(batch) for batch in prepare_ahead(parts, (SIDE, SIDE, 3), prepare))

    laps = race({PEER: lambda: sum(len(batch) for batch in loader), US: ours})
    return [
        Row(
            case="decode, resize to 256, crop to 224 and mirror 256 photographs of 500 x 375",
            peer=PEER, ours=laps[US], peers=laps[PEER], goal=1.0,
            note=f"{len(files) / laps[US].median:,.0f} pictures a second beside {len(files) / laps[PEER].median:,.0f}, "
            f"{cores()} threads beside {cores()} processes.",
        )
    ]  # fmt: skip


def whole(kind: str, seed: int = 0) -> list[Row]:
    """A job on pictograms beside the reference's loop: the same epochs, batches, rates and changes of pictures."""
    from algoport.algorithms.contract import Job, Memory, Reporter
    from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
    from algoport.algorithms.image_classification.train import fit

    train, validation = pictograms()
    settings = Hyperparameters.read(
        {"num_classes": 9, "num_training_samples": len(train), "num_layers": 18, "image_shape": f"3,{SMALL},{SMALL}",
         "resize": SMALL + 8, "augmentation_type": "crop", "epochs": EPOCHS, "learning_rate": 0.05,
         "lr_scheduler_step": f"{EPOCHS * 2 // 3}", "precision_dtype": kind}
    )  # fmt: skip
    accuracies: list[float] = []

    def ours() -> float:
        reported: list[float] = []
        job: Any = Job(
            hyperparameters=settings,
            channels={"train": Memory(train), "validation": Memory(validation)},
            reporter=Reporter(
                report=lambda values, **_: reported.extend(
                    v for name, v in values.items() if name == "validation:accuracy"
                )
            ),
            seed=seed,
        )
        fit(job)
        accuracies[:] = reported
        return max(reported)

    laps = race({PEER: partial(_their_job, train, validation, seed), US: ours}, laps=1, warm=0)
    return [
        Row(
            case=f"{EPOCHS} epochs of ResNet-18 on {len(train):,} pictograms at {SMALL}, {kind} beside float32",
            peer=PEER, ours=laps[US], peers=laps[PEER], goal=None, metric="best validation accuracy", better="higher",
            quality=float(laps[US].result), peer_quality=float(laps[PEER].result), quality_goal=1.0,
            note=f"{len(validation)} pictures for validation; one picture is {1 / len(validation):.4f}.",
        )
    ]  # fmt: skip


def _their_job(train: Any, validation: Any, seed: int) -> float:
    import torch

    torch.manual_seed(seed)
    own = normalize(pixels(train, SMALL + 8))
    judged = normalize(pixels(validation, SMALL + 8))[:, :, 4:-4, 4:-4]
    target, wanted = (torch.from_numpy(part.label[:, 0].astype(np.int64)) for part in (train, validation))
    network, step = their_loop(9, 0.05)
    best = 0.0
    random = np.random.default_rng(seed)
    for epoch in range(EPOCHS):
        if epoch == EPOCHS * 2 // 3:
            network, step = _slower(network)
        network.train()
        order = random.permutation(len(own))
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            corners, mirrored = random.integers(0, 9, (len(chosen), 2)), random.random(len(chosen)) < 0.5
            crops = [own[i][:, a : a + SMALL, b : b + SMALL] for i, (a, b) in zip(chosen, corners, strict=True)]
            batch = torch.stack([crop.flip(2) if m else crop for crop, m in zip(crops, mirrored, strict=True)])
            step(batch, target[chosen])
        network.eval()
        with torch.inference_mode():
            right = sum(
                int((network(part).argmax(1) == w).sum())
                for part, w in zip(judged.split(64), wanted.split(64), strict=True)
            )
        best = max(best, right / len(wanted))
    return best


def _slower(network: Any) -> tuple[Any, Callable[[Any, Any], float]]:
    import torch

    optimizer = torch.optim.SGD(network.parameters(), 0.005, momentum=0.9, weight_decay=1e-4)

    def step(images: Any, wanted: Any) -> float:
        loss = torch.nn.functional.cross_entropy(network(images), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return network, step


def answering() -> list[Row]:
    """One JPEG file to its probabilities, fifty times over."""
    import torch
    from PIL import Image

    from algoport.algorithms.contract.records import Images
    from algoport.algorithms.image_classification.model import Model
    from algoport.algorithms.image_classification.network import build
    from algoport.algorithms.shared.vision.residual.design import Design
    from algoport.algorithms.shared.vision.residual.network import arrays, initialize

    network = build(Design(num_layers=18, channels=3, height=SIDE), 9, lambda sums: None)
    initialize(network, 0)
    model = Model(
        num_layers=18, num_classes=9, channels=3, height=SIDE, width_=SIDE, multi_label=False, weights=arrays(network)
    )
    theirs, _ = their_loop(9, 0.1)
    theirs.eval()
    transforms = torchvision().transforms
    chain = transforms.Compose([transforms.Resize((SIDE, SIDE)), transforms.ToTensor()])
    files = photographs(50)
    times: list[float] = []

    def ours() -> None:
        for data in files:
            start = time.perf_counter()
            model.predict(Images(encoded=[data]))
            times.append(time.perf_counter() - start)

    def peers() -> None:
        for data in files:
            with torch.inference_mode():
                image = chain(Image.open(io.BytesIO(data)).convert("RGB"))
                torch.softmax(theirs(image[None]), dim=1)

    laps = race({PEER: peers, US: ours})
    last = sorted(times[-len(files) * 5 :])
    return [
        Row(
            case="50 answers of ResNet-18 at 224, one JPEG each", peer=PEER, ours=laps[US], peers=laps[PEER], goal=None,
            note=f"p50 {1000 * last[len(last) // 2]:.1f} ms, p99 {1000 * last[int(len(last) * 0.99)]:.1f} ms.",
        )
    ]  # fmt: skip


def fashion() -> int:
    """The small network on all of Fashion-MNIST: its accuracy, and what it took."""
    from algoport.algorithms.contract import Job, Memory, Reporter
    from algoport.algorithms.contract.records import Images
    from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
    from algoport.algorithms.image_classification.train import fit
    from algoport.algorithms.shared.vision.decoding import encode

    channels = {}
    for name, part in (("train", "train"), ("validation", "t10k")):
        given, label = clothes(part)
        files = [encode(each) for each in given.astype(np.uint8).reshape(-1, 28, 28, 1)]
        channels[name] = Memory(Images(encoded=files, label=label[:, None].astype(np.float32)))
    best = [0.0]

    def report(values: dict[str, float], *, epoch: int | None = None, **_: object) -> None:
        print(epoch, values, f"{time.perf_counter() - start:.0f} s", flush=True)
        best.extend(value for name, value in values.items() if name == "validation:accuracy")

    start, used = time.perf_counter(), time.process_time()
    job: Any = Job(hyperparameters=Hyperparameters.read(FASHION), channels=channels, reporter=Reporter(report=report))
    fit(job)
    seconds, busy = time.perf_counter() - start, time.process_time() - used
    print(
        f"accuracy {max(best):.4f} (promised .93) after {seconds / 60:.1f} min, {busy / 60:.1f} CPU min (promised 15)"
    )
    return 0


CASES = [
    Case("steps, float32", partial(steps, "float32", 1.2)),
    Case("steps, float16", partial(steps, "float16", 2.0)),
    Case("decoding", decoding),
    Case("whole, float32", partial(whole, "float32")),
    Case("whole, float16", partial(whole, "float16"), promised=False),
    Case("answering", answering, promised=False),
]

if __name__ == "__main__":
    try:
        sys.exit(fashion() if sys.argv[1:] == ["--fashion"] else main("image_classification", CASES))
    except Missing as missing:
        sys.exit(str(missing))
