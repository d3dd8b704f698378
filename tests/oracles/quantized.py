"""A checkpoint that bitsandbytes has quantized, as transformers saves it, for core/model/src/quant/nf4/tests.rs.

    OMP_NUM_THREADS=1 python tests/oracles/quantized.py

writes tests/fixtures/quant/checkpoint/: config.json with its quantization_config, model.safetensors, and
expected.safetensors with `input_ids` (int32) and `logits` [tokens, vocab] in float32 of the dequantized
weights: bitsandbytes' own CPU product computes in bfloat16.
"""

import json
import pathlib
import shutil
import tempfile

import bitsandbytes
import bitsandbytes.functional as bnb
import torch
import transformers
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "quant" / "checkpoint"


def original(directory):
    torch.manual_seed(7)
    config = transformers.Qwen2Config(
        vocab_size=48, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.3, bos_token_id=1, eos_token_id=2,
    )
    model = transformers.Qwen2ForCausalLM(config)
    for value in model.parameters():
        if value.dim() == 1:
            value.data.add_(0.3 * torch.randn_like(value))
    model.save_pretrained(directory)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    settings = transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    with tempfile.TemporaryDirectory() as directory:
        original(directory)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            directory, quantization_config=settings, dtype=torch.float32, device_map="cpu", attn_implementation="eager"
        ).eval()
    model.save_pretrained(OUT)
    (OUT / "generation_config.json").unlink(missing_ok=True)
    path = OUT / "config.json"
    config = json.loads(path.read_text())
    config.pop("transformers_version", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (OUT / "model.safetensors").chmod(0o644)

    n_quantized = 0
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, bitsandbytes.nn.Linear4bit):
                weight = bnb.dequantize_4bit(child.weight.data, child.weight.quant_state).float()
                dense = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=child.bias is not None)
                dense.weight.data = weight
                if child.bias is not None:
                    dense.bias.data = child.bias.data.float()
                setattr(module, name, dense)
                n_quantized += 1
    assert n_quantized == 14
    torch.manual_seed(8)
    input_ids = torch.randint(3, 48, (1, 24))
    with torch.no_grad():
        logits = model(input_ids).logits[0].contiguous()
    save_file({"input_ids": input_ids[0].int(), "logits": logits}, OUT / "expected.safetensors")
    print(f"{n_quantized} linear layers in NF4, largest logit {logits.abs().max():.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
