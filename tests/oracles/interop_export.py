"""What `luthier export` and `luthier merge` write, read by the programs it is written for.

Called by interop.py for each model directory with an adapter trained on it:

1. Merged safetensors in transformers: logits equal to ours for base + adapter, within 1e-4.
2. GGUF in transformers (through the `gguf` package, which has its own reader, names, permutation and
   dequantization): F32 within 1e-4; Q8_0 and Q4_K_M equal to what we read from the same file, within 1e-3.
3. GGUF in llama.cpp, if `llama_cpp` is installed: F32 within 1e-2 (it computes attention in f16), and
   the tokens of a text are ours.
"""

import json
import shutil

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

# GPT-2's way to cut text, which llama.cpp has too; pico's own it does not have.
GPT2_CUT = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
TEXTS = ["def add(a, b):\n    return a + b", "How many orders are there?", "The quick brown fox 1234 jumps."]


def use_gpt2_cut(directory):
    """Give a model directory a tokenizer that llama.cpp has an equal of."""
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["pre_tokenizer"] = GPT2_CUT
    path.write_text(json.dumps(tokenizer))


def in_transformers(path, ids, gguf_file=None):
    more = {"gguf_file": gguf_file} if gguf_file else {}
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **more).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0]


def in_llama_cpp(path, ids):
    import llama_cpp

    model = llama_cpp.Llama(str(path), logits_all=True, n_ctx=256, verbose=False)
    model.eval(ids)
    return torch.tensor(model.scores[: len(ids)].copy()), model


def close(what, found, wanted, tolerance):
    difference = (found - wanted).abs().max().item()
    if not difference <= tolerance:
        raise SystemExit(f"{what}: logits differ by {difference:.2e}, at most {tolerance:.0e}")
    return difference


def check_exports(name, adapter, cwd, luthier, our_logits, base):
    """`adapter` is a name in the project at `cwd`, `base` its base model's directory."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    ids = tokenizer(TEXTS[0])["input_ids"]
    adapter_dir = cwd / ".luthier" / "adapters" / adapter
    wanted = our_logits(base, ids, adapter_dir)
    done = []

    def export(*options):
        out = cwd / f"export-{name}"
        shutil.rmtree(out, ignore_errors=True)
        return out, json.loads(luthier("export", adapter, "--out", out, "--json", *options, cwd=cwd))

    out, _ = export("--to", "safetensors", "--dtype", "F32")
    done.append(("merged", close(f"{name} merged", in_transformers(out, ids), wanted, 1e-4)))
    for quant, tolerance in (("F32", 1e-4), ("Q8_0", 1e-3), ("Q4_K_M", 1e-3)):
        out, report = export("--to", "gguf", "--quant", quant)
        (file,) = [file for file, _ in report["files"] if file.endswith(".gguf")]
        ours = wanted if quant == "F32" else our_logits(out / file, ids)
        done.append((quant, close(f"{name} {quant}", in_transformers(out, ids, file), ours, tolerance)))
        if quant == "F32" and has_llama_cpp():
            theirs, model = in_llama_cpp(out / file, ids)
            done.append(("llama.cpp", close(f"{name} in llama.cpp", theirs, wanted, 1e-2)))
            for text in TEXTS:
                found = model.tokenize(text.encode(), add_bos=False, special=False)
                if found != tokenizer(text, add_special_tokens=False)["input_ids"]:
                    raise SystemExit(f"{name}: llama.cpp cuts {text!r} into {found}")
    print(f"   {name:8} exports: " + ", ".join(f"{what} {difference:.1e}" for what, difference in done))


def has_llama_cpp():
    try:
        import llama_cpp  # noqa: F401
    except ImportError:
        return False
    return True
