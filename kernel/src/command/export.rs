//! `%export MODEL --to safetensors|peft|gguf`: files that other programs load, with a proof.

use luthier_protocol::{Request, Response, spec::ExportSpec};

use super::{Command, Key, Kind, Names, Positional, ask, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "export",
    summary: "write a model or adapter for transformers, PEFT, vLLM or llama.cpp, and prove it",
    docs: "An adapter is merged into its base for `safetensors` and `gguf`, and stays an adapter for `peft`. The files \
           are loaded again and compared with base + adapter on held-out prompts: largest difference of a logit, mean \
           divergence, agreement on the most likely token. Past the limit for the type the command fails and nothing \
           is kept. With --for, what that program cannot load is refused before anything is written. The directory \
           also gets luthier-export.json: hashes of all files, and the comparison.",
    example: "%export shop-sql --to gguf --quant Q8_0 --out shop-sql-gguf",
    positionals: &[Positional::required("model", "MODEL", Names::ModelsAndAdapters, "A model, adapter or directory.")],
    keys: &[
        Key::new(
            "to",
            Kind::Choice(&["safetensors", "peft", "gguf"]),
            "",
            "The format; by --for or --quant, else safetensors.",
        ),
        Key::new("dtype", Kind::Text, "", "F32, BF16 or F16 for safetensors; as the base is stored if absent."),
        Key::new("quant", Kind::Text, "", "F32, F16, BF16, Q8_0 or Q4_K_M for gguf; F16 if absent."),
        Key::new(
            "for",
            Kind::Choice(&["vllm", "peft", "transformers", "llama.cpp"]),
            "",
            "What will load it: refuse what it cannot.",
        ),
        Key::new("out", Kind::Text, "", "The directory to make; NAME-FORMAT if absent."),
        Key::new("data", Kind::Text, "", "Compare on this dataset's test split; on the adapter's own if absent."),
        Key::new("overwrite", Kind::Switch, "false", "Replace the directory of an earlier export."),
    ],
    has_body: false,
    lower: |values| ask(Request::Export(spec::<ExportSpec>(values)?)),
    render: |response| match response {
        Response::Exported(exported) => Some(display::exported::exported(exported)),
        _ => None,
    },
    json: plain_json,
};
