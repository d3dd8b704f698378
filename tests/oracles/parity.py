"""Expected values for core/train/tests/parity: every adapter method on every architecture, from torch and PEFT.

    OMP_NUM_THREADS=1 python tests/oracles/parity.py [ARCHITECTURE ...]

The bases are the tiny random models of tests/fixtures/architectures, with their tokens and labels. Below
tests/fixtures/parity/ARCHITECTURE/:

    METHOD/                PEFT's adapter as `save_pretrained` writes it, every tensor moved away from its
                           initial value
    expected.safetensors   METHOD.logits [tokens, vocab]; METHOD.grad.NAME of the mean loss over the targets,
                           NAME as in PEFT's file; METHOD.curve, the loss before each of 20 steps of
                           torch.optim.AdamW on the sequence. Of `full` the curve alone: logits and gradients
                           of the bases are in tests/fixtures/architectures.

All linear layers of the blocks are adapted, of IA3 keys, values and the last of the feed-forward layer.
PEFT cannot put an adapter on each expert of a mixture in transformers 5, which holds them in one tensor:
there only the attention is adapted. `qlora` has the blocks' weights as bitsandbytes quantizes them.
"""

import gc
import json
import pathlib
import shutil
import sys
import warnings

import bitsandbytes.functional as bnb
import torch
import transformers
from peft import IA3Config, LoraConfig, get_peft_model
from safetensors.torch import save_file

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
BASES, OUT = FIXTURES / "architectures", FIXTURES / "parity"
LEARNING_RATE, STEPS = 5e-3, 20

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
GATED = ATTENTION + ["gate_proj", "up_proj", "down_proj"]
KEYS, FEEDFORWARD = ["k_proj", "v_proj"], ["down_proj"]
# All linear modules; keys and values; the last of the feed-forward layer; embedding and head.
MODULES = {
    "llama": (GATED, KEYS, FEEDFORWARD, ["embed_tokens", "lm_head"]),
    "phi3": (["qkv_proj", "o_proj", "gate_up_proj", "down_proj"], ["qkv_proj"], FEEDFORWARD, ["embed_tokens", "lm_head"]),
    "gpt2": (["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"], ["attn.c_attn"], ["mlp.c_proj"], ["wte", "lm_head"]),
    "gpt-neox": (
        ["query_key_value", "attention.dense", "dense_h_to_4h", "dense_4h_to_h"],
        ["query_key_value"], ["dense_4h_to_h"], ["embed_in", "lm_head"],
    ),
    "qwen3-moe": (ATTENTION, KEYS, [], ["embed_tokens", "lm_head"]),
}
NAMES = [
    "llama", "mistral", "smollm3", "qwen2", "qwen3", "qwen3-moe", "gemma2", "gemma3", "phi3", "gpt2", "gpt-neox",
]


def methods(name):
    """Method, PEFT's configuration (None: all weights), whether the base is quantized."""
    modules, keys, feedforward, ends = MODULES.get(name, MODULES["llama"])
    common = dict(task_type="CAUSAL_LM", fan_in_fan_out=name == "gpt2")

    def lora(**options):
        return LoraConfig(**(dict(r=2, lora_alpha=3, target_modules=modules) | common | options))

    yield "lora", lora(), False
    yield "rslora", lora(use_rslora=True), False
    yield "dora", lora(use_dora=True), False
    yield "pissa", lora(init_lora_weights="pissa"), False
    yield "ia3", IA3Config(target_modules=keys + feedforward, feedforward_modules=feedforward, **common), False
    yield "qlora", lora(), True
    yield "lora-ends", lora(target_modules=modules[:2] + ends), False
    yield "full", None, False


def quantize(weight, transpose=False):
    """Through NF4 with double quantization, blocks along the rows of [out, in]."""
    rows = weight.T.contiguous() if transpose else weight
    # As one row: the CPU kernel of release 0.50 dequantizes rows that are no multiple of the block wrongly.
    packed, state = bnb.quantize_4bit(rows.reshape(1, -1), quant_type="nf4", blocksize=64, compress_statistics=True)
    values = bnb.dequantize_4bit(packed, state).float().reshape(rows.shape)
    return values.T.contiguous() if transpose else values


def quantize_blocks(model):
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name.split(".")[-1] not in ("lm_head", "embed_out"):
            module.weight.data = quantize(module.weight.data)
        elif isinstance(module, transformers.pytorch_utils.Conv1D):
            module.weight.data = quantize(module.weight.data, transpose=True)
        elif name.endswith("mlp.experts"):
            # One tensor of ours for each expert's gate, up and down.
            for expert in range(module.gate_up_proj.shape[0]):
                both = module.gate_up_proj.data[expert]
                both.copy_(torch.cat([quantize(half.contiguous()) for half in both.chunk(2)]))
                module.down_proj.data[expert].copy_(quantize(module.down_proj.data[expert]))


def load(name):
    config = transformers.AutoConfig.from_pretrained(BASES / name)
    config._experts_implementation = "eager"
    return transformers.AutoModelForCausalLM.from_pretrained(
        BASES / name, config=config, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def file_name(name):
    """The name of a parameter in PEFT's file."""
    return name.replace(".default", "").replace("vector.weight", "vector")


def tidy(directory):
    """No card, no path of this machine, and lists in order."""
    (directory / "README.md").unlink(missing_ok=True)
    path = directory / "adapter_config.json"
    settings = json.loads(path.read_text()) | dict(base_model_name_or_path="tiny")
    for key, value in settings.items():
        if isinstance(value, list):
            settings[key] = sorted(value)
    path.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")
    (directory / "adapter_model.safetensors").chmod(0o644)


def losses(model, parameters, input_ids, labels):
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(input_ids, labels=labels, use_cache=False).loss
        loss.backward()
        optimizer.step()
        yield loss.item()


def cell(seed, name, method, config, quantized, input_ids, labels):
    """The expected tensors of one method; writes its adapter."""
    torch.manual_seed(seed)
    model = load(name)
    if quantized:
        quantize_blocks(model)
    found = {}
    if config is not None:
        model = get_peft_model(model, config).eval()
        for _, value in model.named_parameters():
            if value.requires_grad:
                value.data.add_(0.2 * torch.randn_like(value))
        model.save_pretrained(OUT / name / method)
        tidy(OUT / name / method)
        result = model(input_ids, labels=labels, use_cache=False)
        result.loss.backward()
        found["logits"] = result.logits[0].detach()
        for parameter, value in model.named_parameters():
            if value.requires_grad:
                found[f"grad.{file_name(parameter)}"] = value.grad.clone()
    parameters = [value for value in model.parameters() if value.requires_grad]
    found["curve"] = torch.tensor(list(losses(model, parameters, input_ids, labels)))
    print(f"{name:10} {method:10} loss {found['curve'][0]:.4f} -> {found['curve'][-1]:.4f}, {len(parameters)} tensors")
    return {f"{method}.{key}": value.contiguous().clone() for key, value in found.items()}


def architecture(seed, name):
    shutil.rmtree(OUT / name, ignore_errors=True)
    (OUT / name).mkdir(parents=True)
    given = json.loads((BASES / name / "expected.json").read_text())
    input_ids, labels = torch.tensor([given["input_ids"]]), torch.tensor([given["labels"]])
    tensors = {}
    for offset, (method, config, quantized) in enumerate(methods(name)):
        tensors |= cell(100 * seed + offset, name, method, config, quantized, input_ids, labels)
        gc.collect()
    save_file(tensors, OUT / name / "expected.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for seed, name in enumerate(NAMES):
        if name in sys.argv[1:] or len(sys.argv) == 1:
            architecture(seed, name)
