"""Expected values for core/model/src/oracle_tests.rs, from torch, transformers and peft.

    python tests/oracles/llama_fixture.py

writes, for each tiny random model, a directory under tests/fixtures/models/ with config.json and
model.safetensors as transformers saves them, a PEFT adapter in adapter/, and expected.json:

    input_ids             one sequence
    logits                base model, [tokens, vocab]
    loss                  mean over the targets of `labels`, base model
    adapter_logits        base model with the adapter
    adapter_loss, adapter_gradients   of the summed loss, by tensor name
    greedy                continuation of the first tokens by `generate`, base model, float32

Random weights are drawn with a large standard deviation, so that greedy continuations have no ties.
"""

import json
import pathlib
import shutil

import torch
import transformers
from peft import LoraConfig, get_peft_model

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "models"
SHAPE = dict(
    vocab_size=32,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    initializer_range=0.3,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
LLAMA3 = dict(
    rope_type="llama3",
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=32,
)


def models():
    llama, mistral, qwen2 = transformers.LlamaConfig, transformers.MistralConfig, transformers.Qwen2Config
    rope = dict(rope_theta=500.0, **LLAMA3)
    yield "llama", llama(**SHAPE, head_dim=8, rope_parameters=rope, tie_word_embeddings=True)
    linear = dict(rope_type="linear", rope_theta=10000.0, factor=2.0)
    yield "llama-bias", llama(**SHAPE, attention_bias=True, mlp_bias=True, rope_parameters=linear)
    yield "mistral", mistral(**SHAPE, sliding_window=5)
    yield "qwen2", qwen2(**SHAPE, rope_parameters=dict(rope_type="default", rope_theta=1e6))


def randomize(module):
    """Norms and biases start at one and zero, where a mistake would not show."""
    for name, value in module.named_parameters():
        if value.dim() == 1:
            value.data.add_(0.3 * torch.randn_like(value))
    return module


def flat(tensor):
    return [float(f"{x:.7g}") for x in tensor.detach().double().flatten().tolist()]


def fixture(name, config, seed):
    torch.manual_seed(seed)
    directory = OUT / name
    shutil.rmtree(directory, ignore_errors=True)
    config._attn_implementation = "eager"
    model = randomize(transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)).eval()
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)

    input_ids = torch.randint(3, config.vocab_size, (1, 20))
    labels = input_ids.clone()
    labels[0, :9] = -100
    labels[0, 15] = -100
    n_targets = int((labels[0, 1:] != -100).sum())
    with torch.no_grad():
        base = model(input_ids, labels=labels)
        greedy = model.generate(
            input_ids[:, :12], attention_mask=torch.ones(1, 12, dtype=torch.long),
            max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0,
        )[0, 12:]

    lora = LoraConfig(
        r=2, lora_alpha=6, lora_dropout=0.0, task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    )
    adapted = get_peft_model(model, lora).eval()
    for parameter_name, value in adapted.named_parameters():
        if "lora_B" in parameter_name:
            value.data.normal_(std=0.2)
    adapted.save_pretrained(directory / "adapter")
    (directory / "adapter" / "README.md").unlink(missing_ok=True)
    # A path and the order of a set differ from run to run.
    saved = json.loads((directory / "adapter" / "adapter_config.json").read_text())
    saved |= dict(base_model_name_or_path="tiny", target_modules=sorted(saved["target_modules"]))
    (directory / "adapter" / "adapter_config.json").write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    result = adapted(input_ids, labels=labels)
    (result.loss * n_targets).backward()
    gradients = {
        parameter_name.replace(".default.", "."): flat(value.grad)
        for parameter_name, value in adapted.named_parameters()
        if value.requires_grad
    }
    expected = dict(
        made_with=f"torch {torch.__version__}, transformers {transformers.__version__}",
        input_ids=input_ids[0].tolist(),
        labels=labels[0].tolist(),
        logits=flat(base.logits),
        loss=float(base.loss),
        greedy=greedy.tolist(),
        adapter_logits=flat(result.logits),
        adapter_loss=float(result.loss),
        adapter_gradients=gradients,
    )
    (directory / "expected.json").write_text(json.dumps(expected, sort_keys=True) + "\n")


if __name__ == "__main__":
    for seed, (name, config) in enumerate(models()):
        fixture(name, config, seed)
