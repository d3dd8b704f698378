"""The other side of `cargo xtask bench peft`: PyTorch, transformers and PEFT on one workload.

Question: how long does the same work take there, on the same weights, tokens and precision?
Cost model: none; this side is only timed. `benches/src/bin/peft_ours.rs` speaks the same protocol.

Usage: peer.py WORKLOAD.json VARIANT     VARIANT is eager, or compile for torch.compile
Requests arrive as JSON lines on standard input, one answer each on standard output.
"""

import json
import os
import resource
import sys
import time

WORKLOAD = json.load(open(sys.argv[1]))
VARIANT = sys.argv[2]

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import torch  # noqa: E402
import transformers  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def status_kib(key):
    for line in open("/proc/self/status"):
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def peak_rss_kib():
    return status_kib("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def token_ids(sequence, length):
    """The same ids as on the other side: a multiplicative hash of sequence and position."""
    vocab_size = WORKLOAD["config"]["vocab_size"]
    hashed = (((sequence * 7919 + i * 104729 + 12345) * 2654435761) % 2**32 for i in range(length))
    return [(h >> 8) % vocab_size for h in hashed]


def padded(rows, left=False):
    longest = max(len(row) for row in rows)
    pad = [(longest - len(row)) for row in rows]
    ids = [[0] * p + row if left else row + [0] * p for row, p in zip(rows, pad)]
    mask = [[0] * p + [1] * len(row) if left else [1] * len(row) + [0] * p for row, p in zip(rows, pad)]
    return torch.tensor(ids), torch.tensor(mask)


def padded_batch(sequences):
    """Rows padded to the longest of the batch, as transformers' collator does."""
    rows = [token_ids(s, n) for s, n in sequences]
    ids, mask = padded(rows)
    labels = ids.masked_fill(mask == 0, -100)
    batch = {"input_ids": ids, "labels": labels}
    if not bool(mask.all()):
        batch["attention_mask"] = mask
    return batch


def packed_batch(sequences):
    """Back to back in one row; positions restart, and attention stays within a sequence."""
    ids, labels, positions = [], [], []
    for s, n in sequences:
        row = token_ids(s, n)
        ids += row
        labels += [-100] + row[1:]
        positions += range(n)
    as_row = lambda values: torch.tensor([values])
    return {"input_ids": as_row(ids), "labels": as_row(labels), "position_ids": as_row(positions)}


class Training:
    def __init__(self):
        model = AutoModelForCausalLM.from_pretrained(
            WORKLOAD["model_dir"], dtype=torch.float32, attn_implementation="sdpa"
        )
        model.config.use_cache = False
        modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        lora = LoraConfig(r=WORKLOAD["r"], lora_alpha=WORKLOAD["alpha"], target_modules=modules)
        self.model = get_peft_model(model, lora)
        self.model.train()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=WORKLOAD["learning_rate"])
        self.run = torch.compile(self.model, dynamic=len(WORKLOAD["batches"]) > 1) if VARIANT == "compile" else self.model
        make = packed_batch if WORKLOAD["layout"] == "packed" else padded_batch
        self.batches = [make(batch) for batch in WORKLOAD["batches"]]
        self.n_tokens = sum(n for batch in WORKLOAD["batches"] for _, n in batch)

    def step(self, batch):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.run(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def round(self):
        start = time.perf_counter()
        losses = [self.step(batch) for batch in self.batches]
        return {"seconds": time.perf_counter() - start, "n_tokens": self.n_tokens, "losses": losses}


class Generation:
    def __init__(self):
        self.model = AutoModelForCausalLM.from_pretrained(
            WORKLOAD["model_dir"], dtype=torch.float32, attn_implementation="sdpa"
        ).eval()
        self.model.generation_config.eos_token_id = None
        self.model.generation_config.pad_token_id = 0
        self.prompts = [token_ids(s, n) for s, n in WORKLOAD["prompts"]]

    @torch.no_grad()
    def round(self):
        new = WORKLOAD["max_new_tokens"]
        size = WORKLOAD["generate_batch"]
        answers = []
        start = time.perf_counter()
        # Sorted by length, which is what a careful caller does: less padding.
        order = sorted(range(len(self.prompts)), key=lambda i: len(self.prompts[i]))
        for first in range(0, len(order), size):
            ids, mask = padded([self.prompts[i] for i in order[first : first + size]], left=True)
            out = self.model.generate(ids, attention_mask=mask, max_new_tokens=new, do_sample=False)
            answers += zip(order[first : first + size], out[:, ids.shape[1] :].tolist())
        seconds = time.perf_counter() - start
        first_ids = [ids[0] for _, ids in sorted(answers)]
        return {"seconds": seconds, "n_tokens": new * len(self.prompts), "losses": [], "first_ids": first_ids}


def roofline():
    """Seconds of the frozen matrices' products of one round, forward and input gradient, alone."""
    config = WORKLOAD["config"]
    hidden, inter = config["hidden_size"], config["intermediate_size"]
    d = config.get("head_dim") or hidden // config["num_attention_heads"]
    q, kv = d * config["num_attention_heads"], d * config["num_key_value_heads"]
    layers = config["num_hidden_layers"]
    shapes = [(hidden, q, layers), (hidden, kv, 2 * layers), (q, hidden, layers)]
    shapes += [(hidden, inter, 2 * layers), (inter, hidden, layers), (hidden, config["vocab_size"], 1)]
    seconds, flops = 0.0, 0
    for batch in WORKLOAD["batches"]:
        n = sum(length for _, length in batch)
        for inner, out, times in shapes:
            x, w, dy = torch.randn(n, inner), torch.randn(out, inner), torch.randn(n, out)
            best = float("inf")
            for _ in range(3):
                start = time.perf_counter()
                torch.mm(x, w.t())
                torch.mm(dy, w)
                best = min(best, time.perf_counter() - start)
            seconds += best * times
            flops += 4 * n * inner * out * times
    return {"seconds": seconds, "flops": flops}


def main():
    torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    idle = status_kib("VmRSS")
    session = Training() if WORKLOAD["kind"] == "train" else Generation()
    version = f"torch {torch.__version__}, transformers {transformers.__version__}"
    print(json.dumps({"idle_rss_kib": idle, "version": version}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)["do"]
        if request == "round":
            answer = session.round()
        elif request == "threads":
            torch.set_num_threads(json.loads(line)["n"])
            answer = {}
        elif request == "memory":
            answer = {"peak_rss_kib": peak_rss_kib()}
        elif request == "roofline":
            answer = roofline()
        else:
            break
        print(json.dumps(answer), flush=True)


main()
