//! `%%finetune NAME`: train an adapter, or all weights.

use luthier_protocol::{Request, Response, spec::FinetuneSpec};
use serde_json::{Value, json};

use super::{Command, Key, Kind, Names, Positional, ask, spec};
use crate::display;

/// The keys of a recipe.
pub(super) static KEYS: &[Key] = &[
    Key::required("model", Kind::Text, "A built-in name, a loaded name or a directory."),
    Key::required("data", Kind::Text, "A dataset, or a file that %%dataset could import."),
    Key::new("split", Kind::Text, "train", "The split to train on."),
    Key::new(
        "method",
        Kind::Choice(&["lora", "rslora", "dora", "pissa", "ia3", "qlora", "full"]),
        "lora",
        "The kind of adapter (qlora: LoRA on weights in four bits), or every weight.",
    ),
    Key::new("allow", Kind::List, "", "Findings of the data lint that may pass, by name."),
    Key::new("require_review", Kind::Switch, "false", "Refuse rows that nobody accepted in %review."),
    Key::new("overwrite", Kind::Switch, "false", "Replace an adapter of the same name."),
    Key::new("lora.r", Kind::Count, "8", "Rank."),
    Key::new("lora.alpha", Kind::Number, "16", "The update is scaled by alpha / r."),
    Key::new("lora.dropout", Kind::Number, "0.0", "Dropout on the adapter's input while training."),
    Key::new("lora.target_modules", Kind::List, "[\"all-linear\"]", "Projections that get an adapter, as in PEFT."),
    Key::new("lora.exclude_modules", Kind::List, "", "Projections that get none."),
    Key::new("lora.layers", Kind::Counts, "", "Only these blocks, from 0; all if absent."),
    Key::new("lora.rank_pattern", Kind::CountTable, "", "Ranks of some modules, by the end of their path."),
    Key::new("lora.alpha_pattern", Kind::NumberTable, "", "Alphas of some modules, by the end of their path."),
    Key::new("lora.modules_to_save", Kind::List, "", "Modules trained whole: embed_tokens, lm_head, norm."),
    Key::new("lora.bias", Kind::Choice(&["none", "all", "lora_only"]), "none", "Which biases are trained."),
    Key::new("lora.double_quant", Kind::Switch, "true", "With qlora: the scales of the blocks are in 8 bits."),
    Key::new("train.epochs", Kind::Number, "1", "Passes over the data."),
    Key::new("train.max_steps", Kind::Count, "", "Optimizer steps; wins over epochs."),
    Key::new("train.batch_size", Kind::Count, "16", "Sequences per micro-batch."),
    Key::new("train.gradient_accumulation_steps", Kind::Count, "1", "Micro-batches per optimizer step."),
    Key::new("train.learning_rate", Kind::Number, "2e-4", "Peak learning rate."),
    Key::new(
        "train.optimizer",
        Kind::Choice(&["adamw", "adamw-8bit", "sgd", "adafactor"]),
        "adamw",
        "What moves the weights; adamw-8bit and adafactor need less memory.",
    ),
    Key::new("train.momentum", Kind::Number, "0.9", "SGD's momentum."),
    Key::new(
        "train.schedule",
        Kind::Choice(&["cosine", "linear", "constant", "wsd"]),
        "cosine",
        "Decay after the warm-up; wsd stays at the peak and decays at the end.",
    ),
    Key::new("train.decay_ratio", Kind::Number, "0.1", "Share of all steps spent in wsd's decay."),
    Key::new("train.warmup_ratio", Kind::Number, "0.03", "Share of all steps spent warming up."),
    Key::new("train.warmup_steps", Kind::Count, "", "Steps spent warming up; wins over the ratio."),
    Key::new("train.weight_decay", Kind::Number, "0.0", "Weight decay, on matrices only."),
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
    Key::new(
        "train.loss_on",
        Kind::Choice(&["completion", "assistant", "last-turn", "all"]),
        "completion",
        "Which tokens are learned: the answer, every assistant turn, the last one, or everything.",
    ),
    Key::new("train.train_on_prompt", Kind::Switch, "false", "Train on the prompt's tokens too: loss_on = \"all\"."),
    Key::new("train.seed", Kind::Count, "0", "Seed of initialization, order and dropout."),
    Key::new(
        "train.checkpoint_steps",
        Kind::Count,
        "50",
        "Steps between checkpoints; 0: at the end and on an interrupt.",
    ),
    Key::new("train.keep_checkpoints", Kind::Count, "2", "Newest checkpoints kept, besides the best."),
    Key::new(
        "train.packing",
        Kind::Switch,
        "false",
        "Pack sequences into rows of max_seq_len tokens, batch_size rows at a time; they never see each other.",
    ),
    Key::new(
        "train.gradient_checkpointing",
        Kind::Switch,
        "false",
        "Keep only the inputs of blocks and compute the rest again: a fraction of the memory, a third more time, \
         the same bits.",
    ),
    Key::new("train.neftune_alpha", Kind::Number, "", "NEFTune: noise on the embeddings while training; 5 is usual."),
    Key::new("train.eval_steps", Kind::Count, "0", "Steps between evaluations on eval_split; 0: none."),
    Key::new("train.eval_split", Kind::Text, "", "Split evaluated on; validation, valid, dev or test if absent."),
    Key::new(
        "train.early_stopping_patience",
        Kind::Count,
        "",
        "End after so many evaluations without a better loss, with the best weights.",
    ),
    Key::new("train.early_stopping_threshold", Kind::Number, "0.0", "How much lower a better loss is, in nats."),
    Key::new("train.load_best", Kind::Switch, "false", "The adapter has the best evaluation's weights, not the last."),
    Key::new(
        "train.objective",
        Kind::Choice(&["sft", "dpo", "orpo", "kto"]),
        "sft",
        "Learn given text, or preferences: dpo and orpo from chosen and rejected, kto from labels.",
    ),
    Key::new("train.beta", Kind::Number, "0.1", "How strongly a preference objective holds to its start."),
    Key::new(
        "train.dpo_loss",
        Kind::Choice(&["sigmoid", "hinge", "ipo", "robust"]),
        "sigmoid",
        "The shape of DPO's loss.",
    ),
    Key::new("train.label_smoothing", Kind::Number, "0.0", "DPO: probability that a preference is wrong."),
    Key::new("train.desirable_weight", Kind::Number, "1.0", "KTO: weight of desirable rows."),
    Key::new("train.undesirable_weight", Kind::Number, "1.0", "KTO: weight of undesirable rows."),
    Key::new("train.portable", Kind::Switch, "false", "The same bits on every processor, also on those without FMA."),
    Key::new("train.tensorboard", Kind::Text, "", "A directory for TensorBoard's event files."),
];

/// The definition.
pub static COMMAND: Command = Command {
    name: "finetune",
    summary: "train an adapter (or all weights) on a dataset",
    docs: "The loss looks at the completion only. Interrupting the cell saves a checkpoint and keeps the model \
           loaded; %resume goes on. Methods: lora, rslora, dora, pissa, ia3, qlora (on weights in four bits), \
           full. The adapter is written in PEFT's format and can be named like a model.",
    example: "%%finetune shop-sql\nmodel = \"pico\"\ndata = \"shop\"\n[lora]\nr = 8\nalpha = 16\n[train]\nepochs = 3\nlearning_rate = 1e-3",
    positionals: &[Positional::optional("name", "NAME", Names::Free, "Name of the adapter that results.")],
    keys: KEYS,
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
            "eval_losses": report.eval_losses,
            "best_step": report.best_step,
            "stopped_early": report.stopped_early,
            "seconds": report.seconds,
        }),
        other => super::plain_json(other),
    }
}
