"""Optimizers and schedules as their reference implementations do them.

* `sgd`: torch.optim.SGD; `adafactor`: transformers.Adafactor (external learning rate, no scaling by
  the parameter); `adamw-8bit`: bitsandbytes.optim.AdamW8bit, quantized by its reference (pure torch)
  backend: nearest entry of the map. Its native CPU quantizer is coarser near the map's midpoints (it
  takes the neighbor of the nearest entry for 0.2 to 3 % of values) and is not what CUDA computes.
* Both dynamic maps of bitsandbytes.
* Learning-rate multipliers of transformers' schedules at every step.

Writes core/train/tests/fixtures/optimizers.json; gradients are a formula of (step, tensor, place), so
that only values are stored. `core/train/tests/optimizers.rs` compares.

    python tests/oracles/optimizers.py    # torch, transformers and bitsandbytes from PyPI
"""

import json
from pathlib import Path

import bitsandbytes
import bitsandbytes.backends.cpu.ops
import numpy
import torch
import transformers

N_STEPS = 12
# The first is large enough for 8-bit moments (4096), with a last block that is not full.
SHAPES = [[66, 65], [40]]


def gradient(step, tensor, length):
    """Sixteenths of small integers, exact in float32; a few steps are large, some values zero."""
    scale = 8.0 if step % 5 == 4 else 1.0
    i = numpy.arange(length, dtype=numpy.int64)
    return ((i * 7919 + step * 104729 + tensor * 1299709) % 97 - 48).astype(numpy.float32) / 16 * scale / 8


def initial(tensor, length):
    i = numpy.arange(length, dtype=numpy.int64)
    return ((i * 193 + tensor * 71) % 211 - 105).astype(numpy.float32) / 128


def groups(parameters, weight_decay):
    matrix, bias = parameters
    return [{"params": [matrix], "weight_decay": weight_decay}, {"params": [bias], "weight_decay": 0.0}]


CASES = [
    {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 0.1, "momentum": 0.9},
    {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 0.0, "momentum": 0.0},
    {"optimizer": "adafactor", "learning_rate": 0.01, "weight_decay": 0.1, "momentum": 0.0},
    {"optimizer": "adamw-8bit", "learning_rate": 0.01, "weight_decay": 0.1, "momentum": 0.0},
]


def use_reference_quantizer():
    """Quantize as bitsandbytes defines it, not as its CPU library approximates it."""

    def quantize(values, code, absmax_out, out, blocksize):
        blocks = values.reshape(-1).split(blocksize)
        absmax = torch.stack([block.abs().max() for block in blocks])
        scaled = torch.cat([block * (1.0 / largest.clamp(min=1e-38)) for block, largest in zip(blocks, absmax)])
        bounds = (code[:-1] + code[1:]) / 2
        out.copy_(torch.bucketize(scaled.clamp(-1, 1), bounds).to(torch.uint8).reshape(out.shape))
        absmax_out.copy_(absmax)

    bitsandbytes.backends.cpu.ops._quant_blockwise_fp32_direct = quantize


def build(case, parameters):
    rate, decay = case["learning_rate"], case["weight_decay"]
    if case["optimizer"] == "sgd":
        return torch.optim.SGD(groups(parameters, decay), lr=rate, momentum=case["momentum"], foreach=False)
    if case["optimizer"] == "adafactor":
        return transformers.Adafactor(groups(parameters, decay), lr=rate, scale_parameter=False, relative_step=False)
    return bitsandbytes.optim.AdamW8bit(groups(parameters, decay), lr=rate, betas=(0.9, 0.999), eps=1e-8)


def run(case):
    sizes = [int(numpy.prod(shape)) for shape in SHAPES]
    parameters = [torch.nn.Parameter(torch.tensor(initial(t, n)).reshape(SHAPES[t])) for t, n in enumerate(sizes)]
    optimizer = build(case, parameters)
    values = []
    for step in range(N_STEPS):
        for t, parameter in enumerate(parameters):
            parameter.grad = torch.tensor(gradient(step, t, sizes[t])).reshape(SHAPES[t])
        optimizer.step()
        # All of the small tensor, every 37th value of the large one: in each block of 256, and its ends.
        large = parameters[0].detach().flatten()
        values.append([large[::37].tolist() + large[-3:].tolist(), parameters[1].detach().flatten().tolist()])
    return {**case, "values": values}


def schedule(name, warmup, total, decay):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    made = {
        "constant": lambda: transformers.get_constant_schedule_with_warmup(optimizer, warmup),
        "linear": lambda: transformers.get_linear_schedule_with_warmup(optimizer, warmup, total),
        "cosine": lambda: transformers.get_cosine_schedule_with_warmup(optimizer, warmup, total),
        "wsd": lambda: transformers.get_wsd_schedule(optimizer, warmup, decay, num_training_steps=total),
    }[name]()
    multipliers = []
    for _ in range(total):
        multipliers.append(made.get_last_lr()[0])
        optimizer.step()
        made.step()
    return {"schedule": name, "warmup_steps": warmup, "total_steps": total, "decay_ratio": decay / total,
            "multipliers": multipliers}


def main():
    use_reference_quantizer()
    maps = {kind: bitsandbytes.functional.create_dynamic_map(signed=kind == "signed").tolist()
            for kind in ("signed", "unsigned")}
    schedules = [schedule(name, warmup, total, decay)
                 for name in ("constant", "linear", "cosine", "wsd")
                 for warmup, total, decay in ((0, 20, 4), (5, 40, 10), (3, 50, 47))]
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
                "bitsandbytes": bitsandbytes.__version__}
    fixture = {"made_with": versions, "shapes": SHAPES, "maps": maps, "cases": [run(case) for case in CASES],
               "schedules": schedules}
    path = Path(__file__).resolve().parents[2] / "core/train/tests/fixtures/optimizers.json"
    path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
