"""Expected values for core/train/tests/adapters.rs, from torch, PEFT and bitsandbytes.

    OMP_NUM_THREADS=1 python tests/oracles/adapters.py

For each method, on a tiny random model of tests/fixtures/models: tests/fixtures/adapters/NAME/ holds a
PEFT adapter as `save_pretrained` writes it, every tensor moved away from its initial value, and
expected.json:

    base, quantized       directory of the base model; whether its linear layers are in NF4
    input_ids, labels     one sequence
    logits                [tokens, vocab], dropout off
    loss, gradients       mean over the targets, and its gradient by tensor name of the file
    curve                 loss before each of 20 steps of torch.optim.AdamW on that sequence

QLoRA's base has weights that bitsandbytes quantized (blocks of 64, double quantization) and
dequantized again, in torch's own Linear: bitsandbytes' CPU product computes in bfloat16.
"""

import json
import pathlib
import shutil
import warnings

import bitsandbytes.functional as bnb
import peft
import torch
import transformers
from peft import IA3Config, LoraConfig, get_peft_model

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
OUT = FIXTURES / "adapters"
LEARNING_RATE = 5e-3
STEPS = 20
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
ALL = ATTENTION + ["gate_proj", "up_proj", "down_proj"]


def lora(**options):
    return LoraConfig(**(dict(r=3, lora_alpha=5, target_modules=ALL, task_type="CAUSAL_LM") | options))


def cases():
    """name, base, configuration (None: all weights), quantized"""
    yield "lora", "llama-bias", lora(), False
    yield "rslora", "llama-bias", lora(use_rslora=True), False
    yield "dora", "llama-bias", lora(use_dora=True), False
    yield "pissa", "llama-bias", lora(init_lora_weights="pissa"), False
    ia3 = IA3Config(
        task_type="CAUSAL_LM", target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
    )
    yield "ia3", "llama-bias", ia3, False
    yield "qlora", "llama-bias", lora(), True
    yield "qdora", "llama-bias", lora(use_dora=True, target_modules=ATTENTION), True
    patterns = lora(
        rank_pattern={"layers.1.self_attn.q_proj": 4, "down_.*": 2},
        alpha_pattern={"v_proj": 9},
        target_modules=["q_proj", "v_proj", "mlp.down_proj"],
        layers_to_transform=[1],
        layers_pattern="layers",
    )
    yield "patterns", "llama-bias", patterns, False
    regex = lora(target_modules=r"model\.layers\.\d+\.mlp\..*_proj", exclude_modules=["up_proj"], bias="all")
    yield "regex-bias", "llama-bias", regex, False
    saved = lora(target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head", "norm"], bias="lora_only")
    yield "saved", "llama-bias", saved, False
    yield "saved-head", "llama", lora(target_modules=["q_proj"], modules_to_save=["lm_head"]), False
    yield "full", "llama-bias", None, False


def flat(tensor):
    return [float(f"{x:.8g}") for x in tensor.detach().double().flatten().tolist()]


def file_name(name):
    """The name of a parameter in PEFT's file."""
    return name.replace(".modules_to_save.default", "").replace(".default", "").replace("vector.weight", "vector")


def quantize(model):
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            # As one row: the CPU kernel of release 0.50 dequantizes rows that are no multiple of the block wrongly.
            row = module.weight.data.reshape(1, -1)
            packed, state = bnb.quantize_4bit(row, quant_type="nf4", blocksize=64, compress_statistics=True)
            module.weight.data = bnb.dequantize_4bit(packed, state).float().reshape(module.weight.shape)


def tidy(directory, base):
    """No card, no path of this machine, and lists in order."""
    (directory / "README.md").unlink(missing_ok=True)
    path = directory / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["base_model_name_or_path"] = base
    for key, value in settings.items():
        if isinstance(value, list) and key != "layers_to_transform":
            settings[key] = sorted(value)
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    (directory / "adapter_model.safetensors").chmod(0o644)


def fixture(seed, name, base, config, quantized):
    torch.manual_seed(seed)
    directory = OUT / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        FIXTURES / "models" / base, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    if quantized:
        quantize(model)
    if config is not None:
        model = get_peft_model(model, config).eval()
        for parameter_name, value in model.named_parameters():
            if value.requires_grad:
                value.data.add_(0.2 * torch.randn_like(value))
        model.save_pretrained(directory)
        tidy(directory, base)

    vocab_size = model.config.vocab_size
    input_ids = torch.randint(3, vocab_size, (1, 20))
    labels = input_ids.clone()
    labels[0, :7] = -100
    labels[0, 13] = -100
    result = model(input_ids, labels=labels)
    result.loss.backward()
    trained = {file_name(n): p for n, p in model.named_parameters() if p.requires_grad}
    gradients = {n: flat(p.grad) for n, p in trained.items()}

    optimizer = torch.optim.AdamW(list(trained.values()), lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    curve = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(input_ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        curve.append(float(loss.detach().double()))
    expected = dict(
        made_with=f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}",
        base=base,
        quantized=quantized,
        learning_rate=LEARNING_RATE,
        input_ids=input_ids[0].tolist(),
        labels=labels[0].tolist(),
        logits=flat(result.logits),
        loss=float(result.loss.detach().double()),
        gradients=gradients,
        curve=curve,
    )
    (directory / "expected.json").write_text(json.dumps(expected, sort_keys=True) + "\n")
    print(f"{name:12} loss {curve[0]:.4f} -> {curve[-1]:.4f}, {len(gradients)} tensors")


def combinations():
    """Two adapters, and the logits of what `add_weighted_adapter` makes of them."""
    torch.manual_seed(100)
    directory = OUT / "combined"
    shutil.rmtree(directory, ignore_errors=True)
    base = transformers.AutoModelForCausalLM.from_pretrained(FIXTURES / "models" / "llama-bias", dtype=torch.float32)
    configs = dict(a=lora(target_modules=["q_proj", "v_proj"]), b=lora(use_rslora=True, target_modules=["v_proj", "up_proj"]))
    model = get_peft_model(base, configs["a"], adapter_name="a").eval()
    model.add_adapter("b", configs["b"])
    for parameter_name, value in model.named_parameters():
        if "lora_" in parameter_name:
            value.data.add_(0.2 * torch.randn_like(value))
    model.save_pretrained(directory)
    tidy(directory / "a", "llama-bias")
    tidy(directory / "b", "llama-bias")
    (directory / "README.md").unlink(missing_ok=True)
    input_ids = torch.randint(3, base.config.vocab_size, (1, 20))
    expected = dict(base="llama-bias", weights=[0.7, -0.4], input_ids=input_ids[0].tolist())
    for how in ("linear", "cat"):
        model.add_weighted_adapter(["a", "b"], expected["weights"], how, combination_type=how)
        model.set_adapter(how)
        expected[how] = flat(model(input_ids).logits)
    (directory / "expected.json").write_text(json.dumps(expected, sort_keys=True) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for seed, case in enumerate(cases()):
        fixture(seed, *case)
    combinations()
