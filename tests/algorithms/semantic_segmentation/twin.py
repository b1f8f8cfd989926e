"""The same networks in plain torch, written from the papers with the names of torchvision's layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def block(before, after, size=3, stride=1, dilation=1, rectified=True):
    padding = size // 2 * dilation
    parts = [nn.Conv2d(before, after, size, stride, padding, dilation, bias=False), nn.BatchNorm2d(after)]
    return [*parts, nn.ReLU()] if rectified else parts


class Bottleneck(nn.Module):
    def __init__(self, before, inner, stride, dilation):
        super().__init__()
        after = 4 * inner
        self.conv1, self.bn1 = block(before, inner, 1, rectified=False)
        self.conv2, self.bn2 = block(inner, inner, 3, stride, dilation, rectified=False)
        self.conv3, self.bn3 = block(inner, after, 1, rectified=False)
        projects = stride != 1 or before != after
        self.downsample = nn.Sequential(*block(before, after, 1, stride, rectified=False)) if projects else None

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


class Backbone(nn.Module):
    def __init__(self, layers, first):
        super().__init__()
        self.conv1, self.bn1 = block(3, first, 7, 2, rectified=False)
        before = first
        for stage, (count, stride) in enumerate(zip(UNITS[layers], (1, 2, 1, 1), strict=True), 1):
            inner, units = first * 2 ** (stage - 1), []
            for unit in range(count):
                dilation = {3: (1, 2), 4: (2, 4)}.get(stage, (1, 1))[unit > 0]
                units.append(Bottleneck(before, inner, stride if unit == 0 else 1, dilation))
                before = 4 * inner
            self.add_module(f"layer{stage}", nn.Sequential(*units))

    def forward(self, x):
        x = functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        third = self.layer3(self.layer2(self.layer1(x)))
        return third, self.layer4(third)


def fcn(before, inner, k):
    return nn.Sequential(*block(before, inner), nn.Dropout(0.1), nn.Conv2d(inner, k, 1))


class Pooled(nn.Sequential):
    def forward(self, x):
        return functional.interpolate(super().forward(x), x.shape[2:], mode="bilinear", align_corners=False)


class Atrous(nn.Module):
    def __init__(self, c, inner):
        super().__init__()
        branches = [nn.Sequential(*block(c, inner, 1))]
        branches += [nn.Sequential(*block(c, inner, 3, 1, rate)) for rate in (12, 24, 36)]
        self.convs = nn.ModuleList([*branches, Pooled(nn.AdaptiveAvgPool2d(1), *block(c, inner, 1))])
        self.project = nn.Sequential(*block(5 * inner, inner, 1), nn.Dropout(0.5))

    def forward(self, x):
        return self.project(torch.cat([branch(x) for branch in self.convs], 1))


class Pyramid(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.levels = nn.ModuleList(nn.Sequential(*block(c, c // 4, 1)) for _ in range(4))

    def forward(self, x):
        parts = [level(functional.adaptive_avg_pool2d(x, bins)) for bins, level in zip((1, 2, 3, 6), self.levels)]
        return torch.cat([x, *(functional.interpolate(part, x.shape[2:], mode="bilinear") for part in parts)], 1)


class Twin(nn.Module):
    def __init__(self, layers, first, decoder, k):
        super().__init__()
        c = 32 * first
        self.backbone = Backbone(layers, first)
        self.aux_classifier = fcn(c // 2, c // 8, k)
        if decoder == "fcn":
            self.classifier = fcn(c, c // 4, k)
        elif decoder == "psp":
            self.classifier = nn.Sequential(Pyramid(c), *fcn(2 * c, c // 4, k))
        else:
            head = [*block(c // 8, c // 8), nn.Conv2d(c // 8, k, 1)]
            self.classifier = nn.Sequential(Atrous(c, c // 8), *head)

    def forward(self, pixels):
        mean, deviation = (
            torch.tensor(each).view(1, 3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        )
        third, last = self.backbone((pixels / 255 - mean) / deviation)
        return self.classifier(last), self.aux_classifier(third)
