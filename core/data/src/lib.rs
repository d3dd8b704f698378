//! Datasets, prompts and tokens: everything between a file of rows and the token ids that a model
//! is trained on.
//!
//! ```text
//! file ─import─► Dataset (Arrow + roles + splits + fingerprint)
//!                  │ PromptRenderer (a template plugin, or the default of `format`)
//!                  ▼
//!              messages ─ChatTemplate─► text ─Tokenizer─► prompt ids    (training, ask, evaluate)
//!                                                           + target ─► Example ─lint─► TokenBatch
//! ```
//!
//! Must not know: candle, wasmtime, Jupyter, tokio. No clock, no thread RNG: seeds and dates are
//! arguments.

pub mod atomic;
pub mod chat_template;
pub mod dataset;
pub mod error;
pub mod example;
pub mod format;
pub mod import;
pub mod lengths;
pub mod lint;
pub mod plan;
pub mod preference;
pub mod prompter;
pub mod render;
pub mod review;
pub mod roles;
pub mod stop;
pub mod tokenizer;
pub mod view;

pub use chat_template::{ChatTemplate, RenderDate};
pub use dataset::{Dataset, DatasetOptions, TemplateUse, cell_text, text_column};
pub use error::{Error, Result};
pub use example::{
    Built, BuiltLabeled, BuiltPreferences, Example, ExampleBuilder, IGNORE_INDEX, LabeledExample, PreferenceExample,
};
pub use format::{DefaultRenderer, TrimExtractor, renderer_for};
pub use import::read_table;
pub use plan::{BatchPlan, TokenBatch};
pub use preference::{LabeledRow, PreferenceRow, labeled_rows, preference_rows};
pub use prompter::{AnswerFrame, Prompter};
pub use render::{Answer, AnswerExtractor, Message, PromptRenderer, TOOLS_ROLE, TrainingRow};
pub use roles::{Roles, RowKind};
pub use stop::{StopMatch, StopMatcher};
pub use tokenizer::Tokenizer;
pub use view::shown_tokens;
