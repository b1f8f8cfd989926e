"""torchvision's detector, that the benchmark races: its SSD, matcher, coder and loop.    n pictures   a anchors

VGG-16 at its full width is torchvision's own `ssd300_vgg16`. What it has no detector of, a ResNet-50 base and narrower
networks, is put together of its layers with as many filters, maps and anchors as ours, under its SSD.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from algoport.algorithms.object_detection.hyperparameters import Hyperparameters
from algoport.algorithms.object_detection.layers import Layers
from algoport.algorithms.shared.vision.boxes import Selection
from algoport.algorithms.shared.vision.narrowing import narrowed
from algoport.algorithms.shared.vision.vgg import BLOCKS, WIDE
from benchmarks.peers import torchvision

RATIOS = [[2], [2, 3], [2, 3], [2, 3], [2], [2]]
STEPS = [8, 16, 32, 64, 100, 300]
WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the coder, as in its SSD
CLIP = 10.0
# torchvision's loss is of an anchor that has an object, ours of one that is learned from, of which there are four times
# as many: a quarter of its loss at our rate takes the same steps.
SHARE = 0.25


def detector(layers: Layers) -> Any:
    """torchvision's SSD for as many classes."""
    models = torchvision().models.detection
    torch.manual_seed(0)
    if layers.base == "vgg-16" and layers.share == 1 and layers.side == 300:
        return models.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=layers.num_classes + 1)
    sizes = [first for first, _ in layers.sizes] + [1.05]
    steps = STEPS if layers.base == "vgg-16" else None
    generator = models.anchor_utils.DefaultBoxGenerator(RATIOS, scales=sizes, steps=steps)
    base = _Narrow(layers) if layers.base == "vgg-16" else _Residual(layers)
    side = (layers.side, layers.side)
    return models.ssd.SSD(base, generator, side, layers.num_classes + 1)


class _Maps(nn.Module):
    """The maps behind a base network, as ours has them."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.out_channels = [width for _, width in layers.maps]
        widths = [layers.base_maps[-1][1], *(extra.width for extra in layers.extras)]
        self.extras = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, extra.inner, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(extra.inner, after, 3, extra.stride, extra.padding),
                nn.ReLU(inplace=True),
            )
            for (before, after), extra in zip(pairwise(widths), layers.extras, strict=True)
        )
        for module in self.extras.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def base(self, x: Tensor) -> list[Tensor]:
        """The first two maps."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        maps = self.base(x)
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        return OrderedDict((str(number), features) for number, features in enumerate(maps))


class _Residual(_Maps):
    """A ResNet-50 of torchvision's units."""

    def __init__(self, layers: Layers) -> None:
        super().__init__(layers)
        Bottleneck = torchvision().models.resnet.Bottleneck
        first, *widths = layers.design.widths
        parts: list[nn.Module] = [nn.Conv2d(3, first, 7, 2, 3, bias=False), nn.BatchNorm2d(first)]
        parts += [nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
        before = first
        for count, after, stride in zip(layers.design.units, widths, layers.design.strides, strict=True):
            units = []
            for number in range(count):
                step = stride if number == 0 else 1
                shortcut = None
                if before != after or step != 1:
                    shortcut = nn.Sequential(nn.Conv2d(before, after, 1, step, bias=False), nn.BatchNorm2d(after))
                units.append(Bottleneck(before, after // 4, step, shortcut))
                before = after
            parts.append(nn.Sequential(*units))
        self.until_third, self.fourth = nn.Sequential(*parts[:-1]), parts[-1]
        for module in (*self.until_third.modules(), *self.fourth.modules()):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def base(self, x: Tensor) -> list[Tensor]:
        third = self.until_third(x)
        return [third, self.fourth(third)]


class _Narrow(_Maps):
    """VGG-16 with fewer filters, in the form that torchvision's SSD has it."""

    def __init__(self, layers: Layers) -> None:
        super().__init__(layers)
        shape: list[int | str] = []
        for count, width in BLOCKS:
            shape += [narrowed(width, layers.share)] * count + ["M"]
        plain = torchvision().models.vgg.make_layers(shape)
        pools = [at for at, module in enumerate(plain) if isinstance(module, nn.MaxPool2d)]
        plain[pools[2]].ceil_mode = True
        last, wide = narrowed(BLOCKS[-1][1], layers.share), narrowed(WIDE, layers.share)
        self.scale = nn.Parameter(torch.full((last,), 20.0))
        self.fourth = plain[: pools[3]]
        self.behind = nn.Sequential(
            *plain[pools[3] : -1],
            nn.MaxPool2d(3, 1, 1),
            nn.Conv2d(last, wide, 3, padding=6, dilation=6),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, wide, 1),
            nn.ReLU(inplace=True),
        )
        for module in (*self.fourth.modules(), *self.behind.modules()):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def base(self, x: Tensor) -> list[Tensor]:
        fourth = self.fourth(x)
        scaled = self.scale.view(1, -1, 1, 1) * nn.functional.normalize(fourth)
        return [scaled, self.behind(fourth)]


def loop(network: Any, given: Hyperparameters) -> Callable[[Any, Any, float], float]:
    """A step of its training loop, at a rate, by the settings of a job."""
    optimizer: torch.optim.Optimizer
    if given.optimizer == "adam":
        optimizer = torch.optim.Adam(network.parameters(), 0.1)
    else:
        decay = given.weight_decay
        optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=given.momentum, weight_decay=decay)

    def step(images: Any, wanted: Any, rate: float) -> float:
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses = network(images, wanted)
        loss = SHARE * (losses["classification"] + losses["bbox_regression"])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        return float(losses["classification"].detach()) * SHARE

    return step


def images(pixels: Any) -> list[Tensor]:
    """A batch of pixels (n, s, s, 3) as its networks take them: a list of (3, s, s) from 0 to 1."""
    return list(torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255).contiguous())


def wanted(objects: Sequence[Any], side: int) -> list[dict[str, Tensor]]:
    """What is in the pictures, as its networks take it: boxes in pixels, classes from 1."""
    return [
        {
            "boxes": torch.from_numpy(np.ascontiguousarray(each[:, 1:5]) * np.float32(side)),
            "labels": torch.from_numpy(each[:, 0].astype(np.int64) + 1),
        }
        for each in objects
    ]


def outputs(network: Any, given: list[Tensor]) -> tuple[Any, Any, Any]:
    """In evaluation: anchors in fractions, scores and offsets, in the form of ours."""
    with torch.inference_mode():
        batch, _ = network.transform(given)
        features = list(network.backbone(batch.tensors).values())
        heads = network.head(features)
        anchors = network.anchor_generator(batch, features)[0] / batch.tensors.shape[-1]
    return anchors.numpy(), heads["cls_logits"].numpy(), heads["bbox_regression"].numpy()


def targets(anchors: Tensor, objects: Sequence[Tensor], scores: Tensor) -> tuple[Tensor, Tensor]:
    """What `SSD.forward` and `SSD.compute_loss` find before they add up: classes (n, a), 0 of negatives and -1 of what
    is left out, and offsets (n, a, 4)."""
    utilities, ops = torchvision().models.detection._utils, torchvision().ops
    matcher, coder = utilities.SSDMatcher(0.5), utilities.BoxCoder(weights=WEIGHTS)
    n, a, width = scores.shape
    classes, offsets = torch.zeros((n, a), dtype=torch.int64), torch.zeros((n, a, 4))
    for i, own in enumerate(objects):
        if not len(own):
            continue
        match = matcher(ops.box_iou(own[:, 1:5], anchors))
        foreground = torch.where(match >= 0)[0]
        chosen = own[match[foreground]]
        offsets[i, foreground] = coder.encode_single(chosen[:, 1:5], anchors[foreground])
        classes[i, foreground] = chosen[:, 0].long() + 1
    loss = nn.functional.cross_entropy(scores.view(-1, width), classes.view(-1), reduction="none").view(n, a)
    positive = classes > 0
    loss[positive] = -torch.inf
    order = loss.sort(1, descending=True)[1]
    negative = order.sort(1)[1] < 3 * positive.sum(1, keepdim=True)
    classes[~positive & ~negative] = -1
    return classes, offsets


def detections(anchors: Tensor, scores: Tensor, offsets: Tensor, how: Selection) -> list[Tensor]:
    """Of each picture (d, 6) class, probability and corners, of the best class of each anchor, as ours has them."""
    utilities, ops = torchvision().models.detection._utils, torchvision().ops
    coder, rows = utilities.BoxCoder(weights=WEIGHTS), []
    for own, offset in zip(torch.softmax(scores, dim=-1), offsets, strict=True):
        best, class_ = own[:, 1:].max(1)
        sure = torch.where(best >= how.least)[0]
        best, order = best[sure].topk(min(how.most, len(sure)))
        chosen = sure[order]
        corners = ops.clip_boxes_to_image(coder.decode_single(offset[chosen], anchors[chosen]), (1, 1))
        left = suppressed(corners, best, class_[chosen], how.overlap)
        rows.append(torch.cat([class_[chosen][left, None].float(), best[left, None], corners[left]], dim=1))
    return rows


def suppressed(corners: Tensor, scores: Tensor, classes: Tensor, overlap: float) -> Tensor:
    """What is left of boxes by torchvision's suppression; where its compiled operators do not go with this torch, by
    torch's operators: a row of overlaps for each box that is left."""
    ops = torchvision().ops
    try:
        return ops.batched_nms(corners, scores, classes, overlap)  # type: ignore[no-any-return]
    except RuntimeError:
        pass
    moved = corners + 2.0 * classes[:, None]  # boxes of two classes do not meet
    order, left = scores.argsort(descending=True), []
    while len(order):
        left.append(order[0])
        order = order[1:][ops.box_iou(moved[order[:1]], moved[order[1:]])[0] <= overlap]
    return torch.stack(left) if left else torch.empty(0, dtype=torch.int64)


def compiled() -> bool:
    """Whether torchvision's compiled operators go with this torch."""
    try:
        torchvision().ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (RuntimeError, NotImplementedError):
        return False
    return True
