#!/usr/bin/env python3
"""Training speed beside PyTorch: the same network, batch and two threads, taking turns in one run.

    sudo apt-get install python3-torch libopenblas0-openmp
    cmake --preset release -DRIDGELINE_BENCHMARKS=ON && ninja -C build/release bench_training
    /usr/bin/python3 experiments/peers/training_speed.py build/release/bin/bench_training

Prints images a second of both, and the median of the ratios of neighbouring turns. Without OpenBLAS, Debian's PyTorch
multiplies matrices by the reference BLAS, and the vision transformer is 20 times slower.
"""
import json
import statistics
import subprocess
import sys
import time

import torch
from torch import nn

BATCH, CLASSES = 64, 47


def conv_bn(inner, outer, kernel, stride=1, groups=1, act=nn.ReLU):
    layers = [nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outer)]
    return nn.Sequential(*layers, *([act()] if act else []))


class PlainCnn(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [], 1
        for stage, width in enumerate([32, 64, 96]):
            for _ in range(2):
                layers.append(conv_bn(channels, width, 3))
                channels = width
            if stage < 2:
                layers.append(nn.MaxPool2d(2))
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))

    def forward(self, x):
        return self.body(x)


class InvertedResidual(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.residual = stride == 1 and inner == outer
        self.body = nn.Sequential(conv_bn(inner, 4 * inner, 1, act=nn.ReLU6),
                                  conv_bn(4 * inner, 4 * inner, 3, stride, 4 * inner, nn.ReLU6),
                                  conv_bn(4 * inner, outer, 1, act=None))

    def forward(self, x):
        y = self.body(x)
        return x + y if self.residual else y


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [conv_bn(1, 32, 3, act=nn.ReLU6)], 32
        for out, stride in [(24, 1), (24, 1), (40, 2), (40, 1), (64, 2), (64, 1)]:
            layers.append(InvertedResidual(channels, out, stride))
            channels = out
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))

    def forward(self, x):
        return self.body(x)


class Block(nn.Module):
    def __init__(self, wide, heads, width, ratio):
        super().__init__()
        self.heads, self.width = heads, width
        self.norm1, self.norm2 = nn.LayerNorm(wide), nn.LayerNorm(wide)
        self.query, self.key, self.value = (nn.Linear(wide, heads * width) for _ in range(3))
        self.joined = nn.Linear(heads * width, wide)
        self.feed = nn.Sequential(nn.Linear(wide, ratio * wide), nn.GELU(), nn.Linear(ratio * wide, wide))

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.heads, self.width).transpose(1, 2)

    def forward(self, x):
        y = self.norm1(x)
        scores = torch.softmax(self.split(self.query(y)) @ self.split(self.key(y)).transpose(2, 3), -1)
        y = (scores @ self.split(self.value(y))).transpose(1, 2).flatten(2)
        x = x + self.joined(y)
        return x + self.feed(self.norm2(x))


class VitSmall(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 96, 4, 4)
        self.position = nn.Conv2d(96, 96, 3, padding=1, groups=96)
        self.blocks = nn.Sequential(*[Block(96, 3, 32, 2) for _ in range(4)])
        self.norm = nn.LayerNorm(96)
        self.head = nn.Linear(96, CLASSES)

    def forward(self, x):
        x = self.patches(x)
        x = (x + self.position(x)).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(x)).mean(1))


def torch_turn(model, optimizer, images, labels, seconds, channels_last):
    if channels_last:
        images = images.to(memory_format=torch.channels_last)
    loss_of = nn.CrossEntropyLoss()
    steps, start = 0, None
    while start is None or time.perf_counter() - start < seconds:
        if steps == 3 and start is None:  # warm by now
            steps, start = 0, time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(images), labels).backward()
        optimizer.step()
        steps += 1
    return BATCH * steps / (time.perf_counter() - start)


def our_turn(program, name, seconds):
    output = subprocess.run([program, f"--benchmark_filter=^{name}/f32", f"--benchmark_min_time={seconds}",
                             "--benchmark_format=json"], capture_output=True, check=True, text=True).stdout
    result = json.loads(output)["benchmarks"][0]
    return result["images_a_second"], int(result["parameters"])


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    torch.set_num_threads(2)
    torch.manual_seed(1)
    images, labels = torch.randn(BATCH, 1, 32, 32), torch.arange(BATCH) % CLASSES
    print(f"PyTorch {torch.__version__}, 2 threads, batch {BATCH}, f32, {rounds} rounds")
    for name, kind in [("plain_cnn", PlainCnn), ("mobilenet", MobileNet), ("vit_small", VitSmall)]:
        model = kind().train()
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
        last = kind().train().to(memory_format=torch.channels_last)
        last_optimizer = torch.optim.SGD(last.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
        ours, theirs, ratios = [], [], []
        for _ in range(rounds):
            mine, parameters = our_turn(program, name, 1.0)
            best = max(torch_turn(model, optimizer, images, labels, 1.0, False),
                       torch_turn(last, last_optimizer, images, labels, 1.0, True))
            ours.append(mine)
            theirs.append(best)
            ratios.append(mine / best)
        count = sum(p.numel() for p in model.parameters())
        assert count == parameters, f"{name}: {count} parameters against {parameters}"
        print(f"{name:10} {parameters:7} parameters: {statistics.median(ours):7.0f} images/s, "
              f"PyTorch {statistics.median(theirs):7.0f} (the better of its layouts), ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
