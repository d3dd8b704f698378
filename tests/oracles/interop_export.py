"""What `luthier export` and `luthier merge` write, read by the programs it is written for.

Called by interop.py for each model directory with an adapter trained on it:

1. Merged safetensors in transformers: logits equal to ours for base + adapter, within 1e-4.
2. GGUF in transformers (through the `gguf` package, which has its own reader, names, permutation and
   dequantization): F32 within 1e-4; the others equal to what we read from the same file, within 1e-3.
3. GGUF in llama.cpp, which computes attention in f16 and rounds activations beside quantized weights:
   logits within LLAMA_CPP of ours from the same file, relative to the largest, the most likely token
   equal where it leads by more than that, and the tokens of a text are ours.
4. Files that llama.cpp has quantized, in ours: the same comparison.
"""

import json
import shutil

import llama_cpp
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

# GPT-2's way to cut text, which llama.cpp has too; pico's own it does not have.
GPT2_CUT = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
QUANTS = ["F32", "F16", "Q8_0", "Q4_K_M"]
# Relative to the largest logit.
LLAMA_CPP = {"F32": 5e-3, "F16": 5e-3, "Q8_0": 5e-2, "Q4_K_M": 1e-1, "other": 1e-1}
THEIRS = ["F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K"]
TEXTS = ["def add(a, b):\n    return a + b", "How many orders are there?", "The quick brown fox 1234 jumps."]


def use_gpt2_cut(directory):
    """Give a model directory a tokenizer that llama.cpp has an equal of."""
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["pre_tokenizer"] = GPT2_CUT
    path.write_text(json.dumps(tokenizer))


def in_transformers(path, ids, gguf_file=None, base=None):
    more = {}
    if gguf_file:
        config = AutoConfig.from_pretrained(path, gguf_file=gguf_file)
        # transformers does not read a GGUF file's RoPE scaling, nor the width of Qwen3's heads.
        known = AutoConfig.from_pretrained(base)
        config.rope_parameters = known.rope_parameters
        config.head_dim = getattr(known, "head_dim", None) or known.hidden_size // known.num_attention_heads
        more = dict(gguf_file=gguf_file, config=config)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **more).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0]


def in_llama_cpp(path, ids):
    model = llama_cpp.Llama(str(path), logits_all=True, n_ctx=256, n_threads=1, verbose=False)
    model.eval(ids)
    return torch.tensor(model.scores[: len(ids)].copy()), model


def close(what, found, wanted, tolerance):
    difference = (found - wanted).abs().max().item()
    if not difference <= tolerance:
        raise SystemExit(f"{what}: logits differ by {difference:.2e}, at most {tolerance:.0e}")
    return difference


def close_to_llama_cpp(what, ours, theirs, tolerance):
    """The largest difference relative to the largest logit."""
    scale = ours.abs().max().item()
    difference = close(what, theirs / scale, ours / scale, tolerance)
    best = ours.topk(2, dim=-1)
    leads = (best.values[:, 0] - best.values[:, 1]) > 2 * difference * scale
    if not leads.any() or not torch.equal(theirs.argmax(-1)[leads], best.indices[leads, 0]):
        raise SystemExit(f"{what}: other tokens are the most likely ones")
    return difference


def check_merged(name, ids, wanted, export):
    out, _ = export("--to", "safetensors", "--dtype", "F32")
    return ("merged", close(f"{name} merged", in_transformers(out, ids), wanted, 1e-4))


def check_gguf(name, quant, ids, wanted, export, our_logits, base):
    """One file in transformers and in llama.cpp; F32 is returned for llama.cpp's own quantizer."""
    out, report = export("--to", "gguf", "--quant", quant)
    (file,) = [file for file, _ in report["files"] if file.endswith(".gguf")]
    ours = our_logits(out / file, ids)
    if quant == "F32":
        close(f"{name} F32 in ours", ours, wanted, 1e-4)
    in_theirs = in_transformers(out, ids, file, base)
    yield quant, close(f"{name} {quant} in transformers", in_theirs, ours, 1e-4 if quant == "F32" else 1e-3)
    theirs, model = in_llama_cpp(out / file, ids)
    yield f"{quant} in llama.cpp", close_to_llama_cpp(f"{name} {quant} in llama.cpp", ours, theirs, LLAMA_CPP[quant])
    tokenizer = AutoTokenizer.from_pretrained(base)
    for text in TEXTS:
        found = model.tokenize(text.encode(), add_bos=False, special=False)
        if found != tokenizer(text, add_special_tokens=False)["input_ids"]:
            raise SystemExit(f"{name}: llama.cpp cuts {text!r} into {found}")
    model.close()
    if quant == "F32":
        yield from check_their_files(name, out / file, ids, our_logits)


def check_their_files(name, source, ids, our_logits):
    """Files of llama.cpp's quantizer, read by us."""
    for kind in THEIRS:
        target = source.with_name(f"by-llama-cpp-{kind}.gguf")
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
        parameters.nthread = 1
        if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), parameters):
            raise SystemExit(f"llama.cpp cannot quantize {source} to {kind}")
        ours, (theirs, model) = our_logits(target, ids), in_llama_cpp(target, ids)
        model.close()
        yield f"their {kind}", close_to_llama_cpp(f"{name}, {kind} by llama.cpp", ours, theirs, LLAMA_CPP["other"])
        target.unlink()


def check_exports(name, adapter, cwd, luthier, our_logits, base, has_gguf):
    """`adapter` is a name in the project at `cwd`, `base` its base model's directory."""
    ids = AutoTokenizer.from_pretrained(base)(TEXTS[0])["input_ids"]
    wanted = our_logits(base, ids, cwd / ".luthier" / "adapters" / adapter)

    def export(*options):
        out = cwd / f"export-{name}"
        shutil.rmtree(out, ignore_errors=True)
        return out, json.loads(luthier("export", adapter, "--out", out, "--json", *options, cwd=cwd))

    done = [check_merged(name, ids, wanted, export)]
    for quant in QUANTS if has_gguf else []:
        done += check_gguf(name, quant, ids, wanted, export, our_logits, base)
    for what, difference in done:
        print(f"   {name:8} {what:20} {difference:.1e}")
