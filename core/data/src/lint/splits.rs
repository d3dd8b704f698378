//! Rules that look across splits: what is trained on must not be what is scored.

use std::collections::BTreeMap;

use luthier_protocol::response::Finding;

use super::Look;
use super::texts::{key, prompt_key};
use crate::TrainingRow;

/// Rows of `trained` that stand in another split too, and prompts that do with another answer.
/// `others` are the other splits' rows by the split's name.
pub fn across_splits(trained: &[TrainingRow], others: &[(String, Vec<TrainingRow>)]) -> Vec<Finding> {
    let mut whole: BTreeMap<String, &str> = BTreeMap::new();
    let mut prompts: BTreeMap<String, &str> = BTreeMap::new();
    for (split, rows) in others {
        for row in rows {
            whole.entry(key(row)).or_insert(split);
            prompts.entry(prompt_key(row)).or_insert(split);
        }
    }
    let (mut same, mut asked) = (Vec::new(), Vec::new());
    let mut splits: Vec<&str> = Vec::new();
    for (index, row) in trained.iter().enumerate() {
        let found = match (whole.get(&key(row)), prompts.get(&prompt_key(row))) {
            (Some(split), _) => {
                same.push(index);
                *split
            }
            (None, Some(split)) => {
                asked.push(index);
                *split
            }
            _ => continue,
        };
        if !splits.contains(&found) {
            splits.push(found);
        }
    }
    let look = Look { rows: trained };
    let where_else = splits.join(", ");
    [
        look.finding(
            "duplicates-across-splits",
            &same,
            format!("the same prompt and answer stand in another split ({where_else}): what is trained on is also scored"),
            "take the duplicates out of one split, or leave the `split` column to luthier, which keeps equal prompts together",
        ),
        look.finding(
            "prompts-across-splits",
            &asked,
            format!("the same prompt stands in another split ({where_else}) with another answer"),
            "give rows that belong together a `group` column",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
