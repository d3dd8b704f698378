//! Texts that a comparison is made on: rows that were not trained on, where there are any.

use luthier_data::{Message, Prompter};
use luthier_model::rng::CounterRng;

use crate::Error;
use crate::datasets;
use crate::models::Opened;
use crate::service::Context;
use crate::task::{self, Task};

/// Prompts compared at most, and tokens of each.
const MAX_PROMPTS: usize = 16;
const MAX_TOKENS: usize = 256;

/// Prose, code, numbers and a list, for models without a dataset.
const TEXTS: [&str; 6] = [
    "The river rose overnight, and by morning the lower meadow was under water.",
    "def mean(values):\n    return sum(values) / len(values)\n",
    "SELECT name, COUNT(*) FROM orders GROUP BY name HAVING COUNT(*) > 3 ORDER BY 2 DESC;",
    "Q: What is 17 times 23?\nA: 17 * 23 = 391",
    "- bread\n- milk\n- two lemons\n",
    "In 1931 the laboratory published its first table of measured constants.",
];

/// Token sequences and where they come from.
#[derive(Debug)]
pub(crate) struct HeldOut {
    /// `shop, split test`.
    pub(crate) source: String,
    /// Ids of each prompt with its answer.
    pub(crate) sequences: Vec<Vec<u32>>,
    /// The same as text, as far as it was text.
    pub(crate) texts: Vec<String>,
}

impl HeldOut {
    /// From `data` if given, else from the test split that the adapter was not trained on, else the
    /// built-in texts; filled up with random tokens if those are few.
    pub(crate) fn of(context: Context<'_>, opened: &Opened, data: Option<&str>) -> Result<HeldOut, Error> {
        let prompter = &opened.base.prompter;
        let found = match data {
            Some(name) => Some(from_dataset(context, name, prompter)?),
            // The dataset may be gone, or of another project; that is no reason to refuse.
            None => opened.origin.as_ref().and_then(|origin| from_dataset(context, &origin.data, prompter).ok()),
        };
        let (source, texts) = match found {
            Some((source, texts)) if !texts.is_empty() => (source, texts),
            _ => ("built-in texts".to_owned(), TEXTS.map(str::to_owned).to_vec()),
        };
        let config = opened.base.model.config();
        let limit = MAX_TOKENS.min(config.max_seq_len);
        let mut sequences = Vec::with_capacity(texts.len() + 1);
        for text in &texts {
            let mut ids = prompter.tokenizer.encode(text, false)?;
            ids.retain(|id| (*id as usize) < config.vocab_size);
            ids.truncate(limit);
            if !ids.is_empty() {
                sequences.push(ids);
            }
        }
        // Every row of the embedding may matter to somebody; a text reaches few.
        let rng = CounterRng::new(0, 0x0070_726f_6f66);
        let random = (0..limit.min(64) as u64).map(|i| rng.below_at(i, config.vocab_size as u64) as u32);
        sequences.push(random.collect());
        Ok(HeldOut { source: format!("{source} and random tokens"), sequences, texts })
    }
}

/// Prompts with their answers, from the test split, or from all rows if there is none.
fn from_dataset(context: Context<'_>, name: &str, prompter: &Prompter) -> Result<(String, Vec<String>), Error> {
    let dataset = datasets::open(context, name).map_err(|error| error.at("/data"))?;
    let (source, rows) = match datasets::rows(&dataset, "test") {
        Ok(rows) if rows.num_rows() > 0 => (format!("{}, split test", dataset.name), rows),
        _ => (dataset.name.clone(), dataset.batch.clone()),
    };
    let rows = rows.slice(0, rows.num_rows().min(MAX_PROMPTS));
    let mut task = Task::open(context, &dataset)?;
    let conversations = task.render(&rows, &task::empty(&dataset))?;
    let targets = task.targets(&rows)?;
    let text = |(messages, target): (Vec<Message>, String)| Ok(prompter.render(&messages)? + &target);
    let texts: Result<Vec<String>, Error> = conversations.into_iter().zip(targets).map(text).collect();
    Ok((source, texts?))
}
