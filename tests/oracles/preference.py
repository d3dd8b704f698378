"""DPO, ORPO and KTO as TRL computes them, over short runs.

The losses are TRL's own code (`DPOTrainer._compute_loss`, `KTOTrainer._compute_loss`,
`ORPOTrainer.get_batch_loss_metrics`), called on a trainer that has only what they read; the model
is transformers' Llama with PEFT's adapter from tests/fixtures/models/llama. Each case makes a few
steps of plain gradient descent on all rows at once; the reference is the model as it starts.

Writes core/train/tests/fixtures/preference.json: rows, settings, and per step the loss and rewards.
`core/train/tests/preference.rs` repeats the runs.

    python tests/oracles/preference.py      # torch, transformers, peft and trl from PyPI
"""

import collections
import contextlib
import copy
import json
import pathlib
import types

import peft
import torch
import transformers
import trl
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests/fixtures/models/llama"
N_STEPS = 6
BETA = 0.2


def rows():
    """Prompts and completions of different lengths; ids from 3 on, below the vocabulary's 32."""
    number = lambda i, t, salt: 3 + (i * 13 + t * t * 7 + t * salt + salt * 5) % 29
    made = []
    for i in range(6):
        prompt = [number(i, t, 1) for t in range(3 + i % 4)]
        chosen = [number(i, t, 2) for t in range(2 + (i * 3) % 5)]
        rejected = [number(i, t, 3) for t in range(2 + (i * 2 + 1) % 6)]
        made.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    return made


def padded(prompts, completions):
    """Right-padded ids, attention mask and completion mask."""
    n = max(len(p) + len(c) for p, c in zip(prompts, completions))
    fill = lambda of: torch.tensor([of(p, c) + [0] * (n - len(p) - len(c)) for p, c in zip(prompts, completions)])
    return (fill(lambda p, c: p + c), fill(lambda p, c: [1] * (len(p) + len(c))),
            fill(lambda p, c: [0] * len(p) + [1] * len(c)))


class Scored:
    """The model with the outputs that TRL's fused head gives: log-probabilities of labels, 0 where masked."""

    training = True

    def __init__(self, model):
        self.model = model

    def __call__(self, input_ids, attention_mask, labels=None, **_):
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        if labels is None:
            return types.SimpleNamespace(logits=logits)
        shifted, targets = logits[:, :-1], labels[:, 1:]
        mask = targets != -100
        logps = torch.log_softmax(shifted.float(), -1)
        picked = logps.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1) * mask
        return types.SimpleNamespace(logits=logits, log_probs=picked, entropy=torch.zeros_like(picked),
                                     mean_logits=shifted.mean(-1), is_top1=shifted.argmax(-1) == targets)


def trainer(**own):
    same = lambda x: x
    accelerator = types.SimpleNamespace(device=torch.device("cpu"), gather=same, gather_for_metrics=same,
                                        unwrap_model=same, autocast=contextlib.nullcontext)
    args = types.SimpleNamespace(gradient_checkpointing_kwargs=None)
    return types.SimpleNamespace(
        accelerator=accelerator, args=args, aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=False,
        f_divergence_type="reverse_kl", loss_weights=[1.0], use_weighting=False, beta=BETA, _total_train_tokens=0,
        _tp_size=1, _metrics=collections.defaultdict(lambda: collections.defaultdict(list)), **own)


def compute_dpo(case, policy, reference):
    made = rows()
    prompts = [row["prompt"] for row in made] * 2
    completions = [row["chosen"] for row in made] + [row["rejected"] for row in made]
    ids, attention, completion = padded(prompts, completions)
    own = trainer(model=policy, ref_model=reference, loss_types=[case["dpo_loss"]],
                  label_smoothing=case["label_smoothing"])
    batch = {"input_ids": ids, "attention_mask": attention, "completion_mask": completion}
    loss = DPOTrainer._compute_loss(own, policy, batch, False)
    return loss, {name: values[-1] for name, values in own._metrics["train"].items() if name.startswith("rewards/")}


def compute_orpo(case, policy, reference):
    made = rows()
    batch = {}
    for side in ("chosen", "rejected"):
        ids, attention, completion = padded([row["prompt"] for row in made], [row[side] for row in made])
        batch |= {f"{side}_input_ids": ids, f"{side}_attention_mask": attention,
                  f"{side}_labels": ids.masked_fill(completion == 0, -100)}
    own = trainer(model=policy, is_encoder_decoder=False, padding_value=0)
    for name in ("odds_ratio_loss", "concatenated_forward"):
        setattr(own, name, types.MethodType(getattr(ORPOTrainer, name), own))
    own.concatenated_inputs, own.get_batch_logps = ORPOTrainer.concatenated_inputs, ORPOTrainer.get_batch_logps
    loss, metrics = ORPOTrainer.get_batch_loss_metrics(own, policy, batch)
    return loss, {name: value for name, value in metrics.items() if name.startswith("rewards/") or name == "nll_loss"}


def compute_kto(case, policy, reference):
    made = rows()
    # One completion of each row, with a thumb; the completion of the row before makes a mismatched pair.
    labels = [i % 3 != 1 for i in range(len(made))]
    prompts = [row["prompt"] for row in made]
    completions = [row["chosen"] if label else row["rejected"] for row, label in zip(made, labels)]
    ids, attention, completion = padded(prompts, completions)
    kl_ids, kl_attention, kl_completion = padded(prompts, completions[-1:] + completions[:-1])
    batch = {"input_ids": ids, "attention_mask": attention, "completion_mask": completion, "KL_input_ids": kl_ids,
             "KL_attention_mask": kl_attention, "KL_completion_mask": kl_completion, "label": torch.tensor(labels)}
    own = trainer(model=policy, ref_model=reference, loss_type="kto", calculate_KL=True,
                  desirable_weight=case["desirable_weight"], undesirable_weight=case["undesirable_weight"])
    own._compute_kl_logps = types.MethodType(KTOTrainer._compute_kl_logps, own)
    loss = KTOTrainer._compute_loss(own, policy, batch, False)
    keep = lambda name: name.startswith("rewards/") or name == "kl"
    return loss, {name: values[-1] for name, values in own._metrics["train"].items() if keep(name)}


COMPUTE = {"dpo": compute_dpo, "orpo": compute_orpo, "kto": compute_kto}


def case(objective, **settings):
    defaults = {"dpo_loss": "sigmoid", "label_smoothing": 0.0, "desirable_weight": 1.0, "undesirable_weight": 1.0,
                "learning_rate": 0.2}
    return {"objective": objective, "beta": BETA, **defaults, **settings}


CASES = [
    case("dpo"),
    case("dpo", dpo_loss="hinge"),
    case("dpo", dpo_loss="ipo", learning_rate=0.02),
    case("dpo", dpo_loss="robust", label_smoothing=0.1),
    case("orpo", learning_rate=0.05),
    case("kto", learning_rate=0.5),
    case("kto", desirable_weight=1.5, undesirable_weight=0.7, learning_rate=0.5),
]


@contextlib.contextmanager
def as_it_is(*_):
    yield


def run(case):
    base = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(base, MODEL / "adapter", is_trainable=True)
    frozen = copy.deepcopy(model).requires_grad_(False)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=case["learning_rate"])
    policy, reference = Scored(model), Scored(frozen)
    steps = []
    for _ in range(N_STEPS):
        optimizer.zero_grad()
        loss, metrics = COMPUTE[case["objective"]](case, policy, reference)
        loss.backward()
        optimizer.step()
        steps.append({"loss": loss.item(), "metrics": {name: float(value) for name, value in metrics.items()}})
    return {**case, "steps": steps}


def main():
    import trl.trainer.dpo_trainer as dpo_module
    import trl.trainer.kto_trainer as kto_module

    # Gradient checkpointing is not on: the context that switches it off has nothing to do.
    dpo_module.disable_gradient_checkpointing = kto_module.disable_gradient_checkpointing = as_it_is
    for module in (dpo_module, kto_module):
        module.is_peft_model = lambda _: False
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
                "peft": peft.__version__, "trl": trl.__version__}
    fixture = {"made_with": versions, "rows": rows(), "cases": [run(case) for case in CASES]}
    path = ROOT / "core/train/tests/fixtures/preference.json"
    path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
    for made in fixture["cases"]:
        print(made["objective"], made["dpo_loss"], [round(step["loss"], 5) for step in made["steps"]])


if __name__ == "__main__":
    main()
