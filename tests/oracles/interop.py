"""Compare Luthier with transformers and PEFT on the same weights.

usage: interop.py WORK_DIRECTORY [FAMILY ...]
environment: LUTHIER (binary), LUTHIER_LOGITS (binary), LUTHIER_PICO (directory of the built-in model)

1. Greedy text of tiny random models of every family and of pico: equal, in float32.
2. Logits of the same: within 1e-4.
3. An adapter that `luthier finetune` trained on a JSONL file loads in PEFT and gives the logits
   that we compute from the same directory: within 1e-4; and it is not a no-op.
4. What `luthier export` makes of that adapter, in transformers and llama.cpp (interop_export.py).
5. The same as 3 for adapters of every method, and for what PEFT saves of each of them again.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
from interop_export import check_exports, use_gpt2_cut
from peft import PeftModel
import transformers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

TOLERANCE = 1e-4
LUTHIER = os.environ["LUTHIER"]
LOGITS = os.environ["LUTHIER_LOGITS"]
PICO = pathlib.Path(os.environ["LUTHIER_PICO"])
PROMPTS = ["def add(a, b):", "How many orders are there?", "The quick brown fox", "1 + 1 ="]

SHAPE = dict(
    hidden_size=64,
    intermediate_size=160,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    rms_norm_eps=1e-5,
)


# Rows that fill the blocks of 256 of llama.cpp's K-quants.
WIDE = SHAPE | dict(hidden_size=256, intermediate_size=512, num_hidden_layers=2)
# Exported to GGUF, too.
LLAMA_CPP = {"llama", "llama3", "mistral", "qwen2", "qwen3"}


def configurations(common, wide):
    """Name and configuration of a model of every family."""
    t = transformers
    llama3 = dict(
        rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=64,
    )
    rotary = dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.25)
    neox = {key: value for key, value in common.items() if key not in ("num_key_value_heads", "rms_norm_eps")}
    gpt2 = dict(vocab_size=common["vocab_size"], eos_token_id=common["eos_token_id"], n_positions=256)
    experts = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=16, norm_topk_prob=True)
    yield "llama", t.LlamaConfig(tie_word_embeddings=True, **common)
    yield "llama3", t.LlamaConfig(rope_parameters=llama3, head_dim=64, **wide)
    # The format has no word for a window.
    yield "mistral", t.MistralConfig(sliding_window=None, **common)
    yield "qwen2", t.Qwen2Config(**common)
    yield "qwen3", t.Qwen3Config(head_dim=64, **wide)
    yield "qwen3-moe", t.Qwen3MoeConfig(**common, **experts)
    yield "smollm3", t.SmolLM3Config(**common)
    yield "gemma2", t.Gemma2Config(head_dim=16, sliding_window=8, **common)
    yield "gemma3", t.Gemma3TextConfig(head_dim=16, sliding_window=8, **common)
    yield "phi3", t.Phi3Config(**common)
    yield "gpt2", t.GPT2Config(n_embd=64, n_layer=3, n_head=4, bos_token_id=None, **gpt2)
    yield "gpt-neox", t.GPTNeoXConfig(rope_parameters=rotary, **neox)


def tiny_models(work, vocab_size, eos):
    """Random models of each architecture, saved as transformers saves them."""
    ids = dict(vocab_size=vocab_size, eos_token_id=eos, bos_token_id=None, pad_token_id=None)
    for seed, (name, config) in enumerate(configurations(ids | SHAPE, ids | WIDE)):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            # Initial weights of 0.02 make nearly flat logits, on which ties decide; spread them.
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(4.0)
                else:
                    parameter.add_(torch.randn_like(parameter) * 0.1)
        target = work / name
        model.save_pretrained(target)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(PICO / file, target / file)
        yield target
    target = work / "pico"
    shutil.copytree(PICO, target)
    yield target


def luthier(*arguments, cwd):
    done = subprocess.run([LUTHIER, *map(str, arguments)], cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"luthier {' '.join(map(str, arguments))} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def our_logits(model, ids, adapter=None):
    command = [LOGITS, str(model), *(["--adapter", str(adapter)] if adapter else []), *map(str, ids)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return torch.tensor(json.loads(done.stdout))


def check_base(directory, cwd):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    worst = 0.0
    for prompt in PROMPTS:
        encoded = tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            theirs = model(input_ids=encoded["input_ids"]).logits[0]
            generated = model.generate(
                input_ids=encoded["input_ids"],
                attention_mask=encoded["attention_mask"],
                max_new_tokens=24,
                do_sample=False,
            )
        ours = our_logits(directory, encoded["input_ids"][0].tolist())
        worst = max(worst, (ours - theirs).abs().max().item())
        text = tokenizer.decode(generated[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
        answer = luthier(
            "ask", directory, "--prompt", prompt, "--temperature", 0, "--max-new-tokens", 24, cwd=cwd
        )
        if answer.rstrip("\n") != text.rstrip("\n"):
            sys.exit(f"{directory.name}: greedy text differs for {prompt!r}\nours:   {answer!r}\ntheirs: {text!r}")
    if worst > TOLERANCE:
        sys.exit(f"{directory.name}: logits differ by {worst:.2e}, at most {TOLERANCE:.0e}")
    print(f"   {directory.name:8} greedy text equal on {len(PROMPTS)} prompts, max |Δlogit| {worst:.1e}")


def check_adapter(directory, cwd, suffix="lora"):
    rows = cwd / "pairs.jsonl"
    with rows.open("w") as file:
        for n in range(40):
            file.write(json.dumps({"prompt": f"double {n}", "completion": str(2 * n)}) + "\n")
    recipe = cwd / f"{directory.name}-{suffix}.toml"
    recipe.write_text(
        f'model = "{directory}"\ndata = "pairs.jsonl"\n[lora]\nr = 4\nalpha = 8\n'
        "[train]\nmax_steps = 12\nbatch_size = 8\nlearning_rate = 1e-2\n"
    )
    report = json.loads(luthier("finetune", recipe, "--json", cwd=cwd))
    adapter = cwd / report["adapter_dir"]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    ids = tokenizer("double 21 and more", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        before = base(input_ids=ids).logits[0]
        peft = PeftModel.from_pretrained(base, adapter).eval()
        theirs = peft(input_ids=ids).logits[0]
    ours = our_logits(directory, ids[0].tolist(), adapter)
    difference = (ours - theirs).abs().max().item()
    effect = (theirs - before).abs().max().item()
    if difference > TOLERANCE:
        sys.exit(f"{directory.name}: adapter logits differ by {difference:.2e}, at most {TOLERANCE:.0e}")
    if effect < 100 * TOLERANCE:
        sys.exit(f"{directory.name}: the adapter changes logits by {effect:.2e} only; nothing was compared")
    print(f"   {directory.name:8} adapter in PEFT: max |Δlogit| {difference:.1e} (its effect: {effect:.1e})")


METHODS = {
    "rslora": "r = 4\nalpha = 8\n",
    "dora": "r = 4\nalpha = 8\n",
    "pissa": "r = 4\nalpha = 8\n",
    "ia3": "",
    "patterns": 'r = 4\nalpha = 8\nlayers = [0, 2]\nrank_pattern = { q_proj = 2 }\nalpha_pattern = { "mlp.*" = 3 }\n',
    "saved": 'r = 4\ntarget_modules = ["q_proj", "v_proj"]\nmodules_to_save = ["model.norm"]\n',
}
# One family for each way of naming and storing modules.
METHODS_OF = {"qwen2": list(METHODS)} | {
    family: ["rslora", "dora", "pissa", "ia3"] for family in ("gemma3", "phi3", "gpt2", "gpt-neox")
}


def check_methods(directory, cwd):
    """Adapters of every method: ours in PEFT, and what PEFT saves of it again in ours."""
    ids = PreTrainedTokenizerFast.from_pretrained(directory)("double 21 and more", return_tensors="pt")["input_ids"]
    for name in METHODS_OF[directory.name]:
        settings = METHODS[name]
        method = name if name in ("rslora", "dora", "pissa", "ia3") else "lora"
        recipe = cwd / f"{directory.name}-{name}.toml"
        recipe.write_text(
            f'model = "{directory}"\ndata = "pairs.jsonl"\nmethod = "{method}"\n[lora]\n{settings}'
            "[train]\nmax_steps = 8\nbatch_size = 8\nlearning_rate = 1e-2\n"
        )
        adapter = cwd / json.loads(luthier("finetune", recipe, "--json", cwd=cwd))["adapter_dir"]
        base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
        with torch.no_grad():
            before = base(input_ids=ids).logits[0]
            peft = PeftModel.from_pretrained(base, adapter).eval()
            theirs = peft(input_ids=ids).logits[0]
        again = cwd / f"{adapter.name}-by-peft"
        peft.save_pretrained(again)
        worst = max((our_logits(directory, ids[0].tolist(), at) - theirs).abs().max().item() for at in (adapter, again))
        effect = (theirs - before).abs().max().item()
        if worst > TOLERANCE or effect < 100 * TOLERANCE:
            sys.exit(f"{directory.name}, {name}: logits differ by {worst:.2e}, the adapter's effect is {effect:.2e}")
        print(f"   {directory.name:8} {name:8} in PEFT and back: max |Δlogit| {worst:.1e} (its effect: {effect:.1e})")


def main(work, *families):
    work = pathlib.Path(work).resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    # A unix socket's path has at most 107 bytes: the engine's directory is a short one.
    with tempfile.TemporaryDirectory(prefix="luthier-") as runtime:
        os.environ["LUTHIER_RUNTIME_DIR"] = runtime
        os.environ["LUTHIER_IDLE_S"] = "20"
        tokenizer = PreTrainedTokenizerFast.from_pretrained(PICO)
        for directory in tiny_models(work, len(tokenizer), tokenizer.eos_token_id):
            if families and directory.name not in families:
                continue
            check_base(directory, work)
            check_adapter(directory, work)
            if directory.name in METHODS_OF:
                check_methods(directory, work)
            if directory.name != "pico":
                # The same weights, with a tokenizer that llama.cpp has an equal of.
                use_gpt2_cut(directory)
                check_adapter(directory, work, "gpt2-cut")
                adapter = f"{directory.name}-gpt2-cut"
                has_gguf = directory.name in LLAMA_CPP
                check_exports(directory.name, adapter, work, luthier, our_logits, directory, has_gguf)
    print("interop: equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
