"""AdamW, learning-rate schedules and gradient clipping as PyTorch and transformers do them.

Writes core/train/tests/fixtures/adamw.json: for each case the configuration, the initial values and
gradients (exact in float32), and after every step the learning rate, the gradient norm before
clipping, and the values. `core/train/tests/oracle.rs` compares them within 1e-6.

    python tests/oracles/adamw.py        # needs torch and transformers from PyPI
"""

import json
from pathlib import Path

import torch
import transformers

N_STEPS = 14
SCHEDULES = {
    "cosine": transformers.get_cosine_schedule_with_warmup,
    "linear": transformers.get_linear_schedule_with_warmup,
    "constant": transformers.get_constant_schedule_with_warmup,
}
CASES = [
    {"schedule": "cosine", "warmup_steps": 3, "learning_rate": 1e-2, "weight_decay": 0.1,
     "betas": [0.9, 0.999], "epsilon": 1e-8, "max_grad_norm": 1.0},
    {"schedule": "linear", "warmup_steps": 0, "learning_rate": 3e-4, "weight_decay": 0.0,
     "betas": [0.9, 0.95], "epsilon": 1e-6, "max_grad_norm": 0.0},
    {"schedule": "constant", "warmup_steps": 5, "learning_rate": 5e-2, "weight_decay": 0.01,
     "betas": [0.8, 0.99], "epsilon": 1e-8, "max_grad_norm": 5.0},
]


def gradient(case, step, tensor, length):
    """Sixteenths of small integers: exact in float32. Some are zero, some steps are large."""
    scale = 8.0 if step % 5 == 4 else 1.0
    number = lambda i: (i * 7919 + step * 104729 + tensor * 1299709 + case * 15485863) % 97 - 48
    return [number(i) / 16 * scale / 8 for i in range(length)]


def run(index, case):
    torch.manual_seed(index)
    matrix = torch.nn.Parameter(torch.randn(3, 4))
    bias = torch.nn.Parameter(torch.randn(5))
    initial = [matrix.detach().flatten().tolist(), bias.detach().tolist()]
    optimizer = torch.optim.AdamW(
        [{"params": [matrix], "weight_decay": case["weight_decay"]}, {"params": [bias], "weight_decay": 0.0}],
        lr=case["learning_rate"], betas=tuple(case["betas"]), eps=case["epsilon"], foreach=False)
    arguments = {} if case["schedule"] == "constant" else {"num_training_steps": N_STEPS}
    schedule = SCHEDULES[case["schedule"]](optimizer, num_warmup_steps=case["warmup_steps"], **arguments)
    steps = []
    for step in range(N_STEPS):
        gradients = [gradient(index, step, 0, 12), gradient(index, step, 1, 5)]
        matrix.grad = torch.tensor(gradients[0]).reshape(3, 4)
        bias.grad = torch.tensor(gradients[1])
        limit = case["max_grad_norm"] or float("inf")
        norm = torch.nn.utils.clip_grad_norm_([matrix, bias], limit)
        learning_rate = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        steps.append({"gradients": gradients, "learning_rate": learning_rate, "grad_norm": norm.item(),
                      "values": [matrix.detach().flatten().tolist(), bias.detach().tolist()]})
    return {**case, "total_steps": N_STEPS, "initial": initial, "steps": steps}


def main():
    cases = [run(index, case) for index, case in enumerate(CASES)]
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    root = Path(__file__).resolve().parents[2]
    path = root / "core/train/tests/fixtures/adamw.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"made_with": versions, "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
