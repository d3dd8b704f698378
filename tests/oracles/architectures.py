"""Expected values for core/model/src/architecture_tests.rs: tiny random models of every architecture.

    python tests/oracles/architectures.py [--out tests/fixtures/architectures]

For each model a directory with config.json and the weights as transformers saves them (one of them in
shards, some in bfloat16 or float16), and

    expected.json          input_ids, labels, loss (mean over the targets), greedy continuation of the
                           first 12 tokens
    expected.safetensors   logits [tokens, vocab]; grad.NAME, the gradient of the summed loss by the
                           tensor NAME of the checkpoint; short.logits of the first 12 tokens alone;
                           with an adapter: adapter.logits, adapter.grad.NAME
    adapter/               a PEFT LoRA adapter on all linear modules, for some of the models

Everything is computed in float32. Weights have a standard deviation of 0.3, norms and biases are moved
away from one and zero, 40 tokens are five windows of 8 and go past the original context of 16.
"""

import argparse
import json
import pathlib
import shutil

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
N_TOKENS, N_PROMPT, N_NEW = 40, 12, 20
# One for each way of naming and storing modules.
WITH_ADAPTER = {"gemma3", "phi3", "gpt2", "gpt-neox"}

IDS = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
SHAPE = dict(
    vocab_size=32,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    initializer_range=0.3,
    **IDS,
)
LLAMA3 = dict(
    rope_type="llama3", rope_theta=50.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=16,
)
YARN = dict(
    rope_type="yarn", rope_theta=50.0, factor=4.0, beta_fast=1.0, beta_slow=0.25, original_max_position_embeddings=16,
)


def longrope(n):
    return dict(
        rope_type="longrope", rope_theta=100.0,
        short_factor=[1.0 + 0.1 * i for i in range(n)], long_factor=[1.5 + 0.5 * i for i in range(n)],
    )


def models():
    """Name, configuration, how it is saved."""
    t = transformers
    yield "llama", t.LlamaConfig(**SHAPE, head_dim=8, rope_parameters=LLAMA3, tie_word_embeddings=True), {}
    yield "llama-bias", t.LlamaConfig(
        **SHAPE, attention_bias=True, mlp_bias=True, hidden_act="gelu_pytorch_tanh",
        rope_parameters=dict(rope_type="linear", rope_theta=100.0, factor=2.0),
    ), {}
    yield "llama-yarn", t.LlamaConfig(**SHAPE, head_dim=8, hidden_act="relu", rope_parameters=YARN), {}
    yield "mistral", t.MistralConfig(**SHAPE, sliding_window=8), dict(max_shard_size="12KB")
    yield "smollm3", t.SmolLM3Config(
        **SHAPE | dict(num_hidden_layers=4), no_rope_layer_interval=2, use_sliding_window=True, sliding_window=8,
    ), {}
    yield "qwen2", t.Qwen2Config(
        **SHAPE | dict(num_hidden_layers=3), use_sliding_window=True, sliding_window=8, max_window_layers=1,
    ), dict(dtype=torch.bfloat16)
    yield "qwen3", t.Qwen3Config(**SHAPE, head_dim=8, attention_bias=True), {}
    moe = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=12, head_dim=8)
    yield "qwen3-moe", t.Qwen3MoeConfig(**SHAPE, **moe, norm_topk_prob=True), {}
    yield "qwen3-moe-sparse", t.Qwen3MoeConfig(
        **SHAPE | dict(num_hidden_layers=4), **moe, norm_topk_prob=False, decoder_sparse_step=2, mlp_only_layers=[3],
        use_sliding_window=True, sliding_window=8,
    ), {}
    gemma = SHAPE | dict(num_hidden_layers=3)
    yield "gemma2", t.Gemma2Config(
        **gemma, head_dim=8, query_pre_attn_scalar=6, sliding_window=8, attn_logit_softcapping=2.0,
        final_logit_softcapping=5.0,
    ), {}
    yield "gemma3", t.Gemma3TextConfig(
        **gemma, head_dim=8, query_pre_attn_scalar=6, sliding_window=8,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", rope_theta=1000.0, factor=4.0),
            sliding_attention=dict(rope_type="default", rope_theta=100.0),
        ),
    ), {}
    phi = SHAPE | dict(num_attention_heads=2, num_key_value_heads=1)
    yield "phi3", t.Phi3Config(
        **phi, original_max_position_embeddings=16, rope_parameters=longrope(3) | dict(partial_rotary_factor=0.75),
    ), {}
    yield "phi3-window", t.Phi3Config(**phi, sliding_window=8), dict(dtype=torch.float16)
    gpt2 = dict(vocab_size=32, n_embd=16, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3, **IDS)
    yield "gpt2", t.GPT2Config(**gpt2), {}
    yield "gpt2-scaled", t.GPT2Config(
        **gpt2, n_inner=24, activation_function="gelu", scale_attn_by_inverse_layer_idx=True, tie_word_embeddings=False,
    ), {}
    neox = {key: value for key, value in SHAPE.items() if key != "num_key_value_heads"} | dict(num_attention_heads=2)
    yield "gpt-neox", t.GPTNeoXConfig(**neox, rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.5)), {}
    yield "gpt-neox-sequential", t.GPTNeoXConfig(
        **neox, use_parallel_residual=False, hidden_act="gelu_new", attention_bias=False,
        rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=1.0),
    ), {}


    # New ones at the end: a model's seed is its place.
    yield "llama-dynamic", t.LlamaConfig(
        **SHAPE | dict(max_position_embeddings=24), head_dim=8,
        rope_parameters=dict(rope_type="dynamic", rope_theta=50.0, factor=4.0),
    ), {}


def multimodal():
    """Gemma 3 with a vision tower, of which the text part is compared."""
    t = transformers
    text = t.Gemma3TextConfig(
        **SHAPE | dict(num_hidden_layers=2), head_dim=8, query_pre_attn_scalar=6, sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", rope_theta=1000.0, factor=4.0),
            sliding_attention=dict(rope_type="default", rope_theta=100.0),
        ),
    )
    vision = t.SiglipVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14,
    )
    return t.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, image_token_index=3, **IDS)


def randomize(model):
    """Norms and biases start at one and zero, where a mistake would not show; GPT-2 shrinks some."""
    for name, value in model.named_parameters():
        if value.dim() == 1:
            value.data.add_(0.3 * torch.randn_like(value))
        elif value.std() < 0.25:
            value.data.normal_(std=0.3)
    return model


def checkpoint_names(name, value, is_neox):
    """A parameter as the checkpoint has it: transformers joins experts and renames a head in memory."""
    if name.endswith("mlp.experts.gate_up_proj"):
        for expert, both in enumerate(value):
            for part, half in zip(("gate_proj", "up_proj"), both.chunk(2)):
                yield name.replace("gate_up_proj", f"{expert}.{part}.weight"), half
    elif name.endswith("mlp.experts.down_proj"):
        for expert, down in enumerate(value):
            yield name.replace("down_proj", f"{expert}.down_proj.weight"), down
    elif is_neox and name == "lm_head.weight":
        yield "embed_out.weight", value
    elif name.startswith("model.language_model."):
        yield name.replace("model.language_model.", "model."), value
    else:
        yield name, value


def save(model, directory, dtype=None, max_shard_size="1GB"):
    shutil.rmtree(directory, ignore_errors=True)
    if dtype is not None:
        # What is compared is what was saved.
        for value in model.parameters():
            value.data = value.data.to(dtype).float()
        model.to(dtype).save_pretrained(directory, max_shard_size=max_shard_size)
        model.float()
    else:
        model.save_pretrained(directory, max_shard_size=max_shard_size)
    (directory / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((directory / "config.json").read_text())
    config.pop("transformers_version", None)
    (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def fixture(directory, config, seed, saving):
    torch.manual_seed(seed)
    config._attn_implementation = "eager"
    # The reference's experts one after the other: its other ways add in another order.
    config._experts_implementation = "eager"
    model = randomize(transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)).eval()
    save(model, directory, **saving)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    ).eval()

    # Not 3, which stands for an image where there is a vision tower.
    input_ids = torch.randint(3 + hasattr(config, "vision_config"), config.get_text_config().vocab_size, (1, N_TOKENS))
    labels = input_ids.clone()
    labels[0, :9] = -100
    labels[0, 15] = -100
    n_targets = int((labels[0, 1:] != -100).sum())
    result = model(input_ids, labels=labels)
    (result.loss * n_targets).backward()
    tensors = {"logits": result.logits[0].detach()}
    for name, value in model.named_parameters():
        # What a text has no part in has no gradient.
        if value.grad is not None:
            for checkpoint_name, gradient in checkpoint_names(name, value.grad, config.model_type == "gpt_neox"):
                tensors[f"grad.{checkpoint_name}"] = gradient
    with torch.no_grad():
        tensors["short.logits"] = model(input_ids[:, :N_PROMPT]).logits[0]
        greedy = model.generate(
            input_ids[:, :N_PROMPT], attention_mask=torch.ones(1, N_PROMPT, dtype=torch.long),
            max_new_tokens=N_NEW, do_sample=False, eos_token_id=None, pad_token_id=0,
            # Keys in a cache would keep the frequencies of the length at which they were computed.
            use_cache="dynamic" not in directory.name,
        )[0, N_PROMPT:]
    if directory.name in WITH_ADAPTER:
        tensors |= adapter(model, directory / "adapter", input_ids, labels, n_targets)
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, directory / "expected.safetensors")
    expected = dict(
        made_with=f"torch {torch.__version__}, transformers {transformers.__version__}",
        input_ids=input_ids[0].tolist(),
        labels=labels[0].tolist(),
        loss=float(result.loss),
        greedy=greedy.tolist(),
    )
    (directory / "expected.json").write_text(json.dumps(expected, sort_keys=True) + "\n")


def adapter(model, directory, input_ids, labels, n_targets):
    model.zero_grad()
    config = LoraConfig(r=2, lora_alpha=6, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config).eval()
    for name, value in adapted.named_parameters():
        if "lora_B" in name:
            value.data.normal_(std=0.2)
    adapted.save_pretrained(directory)
    (directory / "README.md").unlink(missing_ok=True)
    # A path and the order of a set differ from run to run.
    saved = json.loads((directory / "adapter_config.json").read_text())
    saved |= dict(base_model_name_or_path="tiny", target_modules=sorted(saved["target_modules"]))
    (directory / "adapter_config.json").write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    result = adapted(input_ids, labels=labels)
    (result.loss * n_targets).backward()
    tensors = {"adapter.logits": result.logits[0].detach()}
    for name, value in adapted.named_parameters():
        if value.requires_grad:
            tensors[f"adapter.grad.{name.replace('.default.', '.')}"] = value.grad
    return tensors


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "fixtures" / "architectures")
    parser.add_argument("--only", help="one model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed, (name, config, saving) in enumerate(models()):
        if arguments.only in (None, name):
            fixture(arguments.out / name, config, seed, saving)
    if arguments.only in (None, "gemma3-multimodal"):
        fixture(arguments.out / "gemma3-multimodal", multimodal(), 100, {})
