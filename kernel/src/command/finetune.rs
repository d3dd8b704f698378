//! `%%finetune NAME`: train an adapter, or all weights.

use luthier_protocol::{Request, Response, spec::FinetuneSpec};
use serde_json::{Value, json};

use super::{Command, Key, Kind, Names, Positional, ask, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "finetune",
    summary: "train an adapter (or all weights) on a dataset",
    docs: "The loss looks at the completion only. Interrupting the cell saves a checkpoint and keeps the model \
           loaded; %resume goes on. The adapter is written in PEFT's format and can be named like a model.",
    example: "%%finetune shop-sql\nmodel = \"pico\"\ndata = \"shop\"\n[lora]\nr = 8\nalpha = 16\n[train]\nepochs = 3\nlearning_rate = 1e-3",
    positionals: &[Positional::optional("name", "NAME", Names::Free, "Name of the adapter that results.")],
    keys: &[
        Key::required("model", Kind::Text, "A built-in name, a loaded name or a directory."),
        Key::required("data", Kind::Text, "A dataset, or a file that %%dataset could import."),
        Key::new("split", Kind::Text, "train", "The split to train on."),
        Key::new("method", Kind::Choice(&["lora", "full"]), "lora", "Low-rank adapters, or every weight."),
        Key::new("overwrite", Kind::Switch, "false", "Replace an adapter of the same name."),
        Key::new("lora.r", Kind::Count, "8", "Rank."),
        Key::new("lora.alpha", Kind::Number, "16", "The update is scaled by alpha / r."),
        Key::new("lora.dropout", Kind::Number, "0.0", "Dropout on the adapter's input while training."),
        Key::new("lora.target_modules", Kind::List, "[\"all-linear\"]", "Projections that get an adapter, as in PEFT."),
        Key::new("train.epochs", Kind::Number, "1", "Passes over the data."),
        Key::new("train.max_steps", Kind::Count, "", "Optimizer steps; wins over epochs."),
        Key::new("train.batch_size", Kind::Count, "16", "Sequences per micro-batch."),
        Key::new("train.gradient_accumulation_steps", Kind::Count, "1", "Micro-batches per optimizer step."),
        Key::new("train.learning_rate", Kind::Number, "2e-4", "Peak learning rate."),
        Key::new(
            "train.schedule",
            Kind::Choice(&["cosine", "linear", "constant"]),
            "cosine",
            "Decay after the warm-up.",
        ),
        Key::new("train.warmup_ratio", Kind::Number, "0.03", "Share of all steps spent warming up."),
        Key::new("train.warmup_steps", Kind::Count, "", "Steps spent warming up; wins over the ratio."),
        Key::new("train.weight_decay", Kind::Number, "0.0", "AdamW's decoupled weight decay, on matrices only."),
        Key::new("train.betas", Kind::Pair, "[0.9, 0.999]", "AdamW's moment decays."),
        Key::new("train.epsilon", Kind::Number, "1e-8", "AdamW's epsilon."),
        Key::new("train.max_grad_norm", Kind::Number, "1.0", "Clip the gradient's norm here; 0 switches it off."),
        Key::new("train.max_seq_len", Kind::Count, "", "Longest sequence in tokens; the model's own limit if absent."),
        Key::new(
            "train.on_too_long",
            Kind::Choice(&["error", "drop", "truncate"]),
            "error",
            "What happens to longer examples.",
        ),
        Key::new("train.train_on_prompt", Kind::Switch, "false", "Train on the prompt's tokens too."),
        Key::new("train.seed", Kind::Count, "0", "Seed of initialization, order and dropout."),
        Key::new(
            "train.checkpoint_steps",
            Kind::Count,
            "50",
            "Steps between checkpoints; 0: at the end and on an interrupt.",
        ),
    ],
    has_body: true,
    lower: |values| ask(Request::Finetune(spec::<FinetuneSpec>(values)?)),
    render: |response| match response {
        Response::Finetuned(report) => Some(display::finetune::report(report)),
        _ => None,
    },
    json: report_json,
};

/// What a script needs to go on: where the adapter is and how training ended.
pub(super) fn report_json(response: &Response) -> Value {
    match response {
        Response::Finetuned(report) => json!({
            "run": report.run,
            "adapter_dir": report.adapter_dir,
            "steps": report.steps,
            "final_loss": report.final_loss,
            "seconds": report.seconds,
        }),
        other => super::plain_json(other),
    }
}
