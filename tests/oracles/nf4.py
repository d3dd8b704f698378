"""Expected bytes for core/model/src/quant/nf4/tests.rs, from bitsandbytes' CPU backend.

    OMP_NUM_THREADS=1 python tests/oracles/nf4.py [--check]

writes tests/fixtures/quant/nf4.safetensors: for each case `NAME.input` (float32) and, as bitsandbytes
saves a Linear4bit, `NAME.weight` with its `.absmax`, `.quant_map`, `.nested_absmax`,
`.nested_quant_map` and `.quant_state.bitsandbytes__nf4`; `NAME.values` is `dequantize_4bit` in float32.
The input of "large" is not stored: it follows from the linear congruential generator below. One
thread, because torch's mean of more than 32768 values depends on their number.
"""

import pathlib
import sys

import bitsandbytes.functional as bnb
import numpy as np
import torch
from safetensors.torch import load_file, save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "quant" / "nf4.safetensors"


def generated(n):
    """x <- 1664525 x + 1013904223 mod 2^32; the value is the sum of four draws in (-1, 1)."""
    x, values = np.uint32(12345), np.empty(n, np.float32)
    with np.errstate(over="ignore"):
        for i in range(n):
            total = np.float32(0)
            for _ in range(4):
                x = np.uint32(x * np.uint32(1664525) + np.uint32(1013904223))
                total += np.float32(x >> np.uint32(8)) * np.float32(2.0**-23) - np.float32(1)
            values[i] = total
    return torch.from_numpy(values)


def cases():
    torch.manual_seed(1)
    yield "normal", torch.randn(48, 64) * 0.3, dict()
    yield "plain", torch.randn(16, 64) * 0.02, dict(compress_statistics=False)
    yield "odd", torch.randn(5, 13), dict()
    yield "short", torch.randn(3, 7), dict()
    scales = 10.0 ** torch.linspace(-6, 4, 40)
    yield "scales", torch.randn(40, 64) * scales[:, None], dict()
    codes = bnb.get_4bit_type("nf4", device="cpu").clone().detach()
    halfway = torch.cat([codes, (codes[:-1] + codes[1:]) / 2, torch.zeros(33)])
    yield "halfway", torch.stack([halfway, 3 * halfway, -halfway, torch.zeros(64)]), dict()
    yield "half", (torch.randn(8, 64) * 0.1).to(torch.bfloat16), dict()
    yield "wide", torch.randn(4, 256), dict(blocksize=128)
    yield "large", generated(600 * 128).reshape(600, 128), dict()


def make():
    torch.set_num_threads(1)
    tensors = {}
    for name, weight, options in cases():
        options = dict(compress_statistics=True, blocksize=64) | options
        packed, state = bnb.quantize_4bit(weight, quant_type="nf4", **options)
        tensors[f"{name}.weight"] = packed
        for key, value in state.as_dict(packed=True).items():
            tensors[f"{name}.weight.{key}"] = value.contiguous()
        if name != "large":
            tensors[f"{name}.input"] = weight.float().contiguous()
            tensors[f"{name}.values"] = bnb.dequantize_4bit(packed, state).float().contiguous()
    return tensors


if __name__ == "__main__":
    tensors = make()
    if "--check" in sys.argv:
        stored = load_file(OUT)
        assert stored.keys() == tensors.keys()
        for name, value in tensors.items():
            assert torch.equal(stored[name], value), name
        print(f"{len(tensors)} tensors are identical")
    else:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, OUT)
