//! Rows that a language model is asked for: prompts → answers → rows → judged, deduplicated, counted.
//!
//! ```text
//! seeds ─prompts─► model ─► parse ─► validate ─► dedup ─► near dedup ─► kept
//!                    │        └ rejected: no-json, missing-field, …     requested = kept + rejected + failed
//!                    └ failed: unavailable, refused, …; every answer goes into a journal first
//! ```
//!
//! With the same template, plan and answers the rows are the same, whatever was interrupted between.

mod plan;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::{concat::concat_batches, filter::filter_record_batch};
use luthier_lm::{FinishReason, GenerateRequest, LanguageModel, Prompt};
use luthier_protocol::response::Accounting;
use luthier_protocol::spec::GenerationSpec;

use crate::journal::{Entry, Journal, digest};
use crate::near::NearDuplicates;
use crate::template::{Asking, ModelOutput, Seed, TaskTemplate};
use crate::{Error, Result};

pub use plan::{MAX_BARREN_REQUESTS, Plan};
use tally::Tally;
pub use tally::{TopicYield, Usage};

/// Reason of rows that were asked for and are not in the answer.
pub const NOT_IN_ANSWER: &str = "not-in-answer";
/// Reason of rows that say nearly what another row says.
pub const NEAR_DUPLICATE: &str = "near-duplicate";

/// Rows, what became of all the others, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The rows kept, in the order in which they were asked for.
    pub rows: RecordBatch,
    /// requested = kept + rejected + failed.
    pub accounting: Accounting,
    /// Requests and tokens, those of an interrupted run included.
    pub usage: Usage,
    /// Rows asked and kept by topic, in the plan's order.
    pub yields: Vec<TopicYield>,
    /// Things to know that stopped nothing.
    pub warnings: Vec<String>,
}

/// One request that is about to be sent, or was.
struct Pending {
    seed: Seed,
    request: GenerateRequest,
    digest: u64,
}

/// Ask until the plan's rows are kept, nothing new comes any more, or the budget is spent.
/// `progress(kept, wanted)` is called after every request.
///
/// # Errors
/// A template that has no prompts or fails as a whole, a server that refuses every request, not one row
/// kept, or `cancel`. What was answered until then is in the journal.
pub fn synthesize_asking(
    template: &mut dyn TaskTemplate,
    model: &mut dyn LanguageModel,
    plan: &Plan,
    journal: &mut Journal,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &AtomicBool,
) -> Result<Asked> {
    let descriptor = template.descriptor().clone();
    if !descriptor.asks {
        return Err(Error::DoesNotAsk { template: descriptor.id });
    }
    if plan.wanted == 0 {
        return Err(Error::NothingRequested);
    }
    let mut tally = Tally::new(plan);
    let mut n_asked = 0;
    while tally.kept() < u64::from(plan.wanted) && tally.goes_on(plan) {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let seeds = plan.seeds(n_asked, tally.missing(plan), |topic| tally.recent(topic));
        n_asked += seeds.len();
        let pending = prepare(template, plan, seeds)?;
        answer(model, &pending, journal, cancel)?;
        for one in &pending {
            // `answer` has put every one into the journal.
            let Some(entry) = journal.get(&one.seed.request_id, one.digest).cloned() else { continue };
            take(template, &mut tally, plan, one, &entry)?;
            progress(tally.kept(), u64::from(plan.wanted));
        }
    }
    finish(&descriptor.id, plan, tally)
}

/// The first prompts of a plan, as they would be sent.
///
/// # Errors
/// A template without prompts, or one that fails.
pub fn preview(template: &mut dyn TaskTemplate, plan: &Plan) -> Result<Vec<Vec<luthier_lm::Message>>> {
    let descriptor = template.descriptor().clone();
    if !descriptor.asks {
        return Err(Error::DoesNotAsk { template: descriptor.id });
    }
    let seeds = plan.seeds(0, u64::from(plan.wanted), |_| Vec::new());
    Ok(prepare(template, plan, seeds)?
        .into_iter()
        .map(|pending| match pending.request.prompt {
            Prompt::Chat(turns) => turns,
            Prompt::Text(text) => vec![luthier_lm::Message { role: "user".to_owned(), content: text }],
        })
        .collect())
}

/// What the template asks for each seed.
fn prepare(template: &mut dyn TaskTemplate, plan: &Plan, seeds: Vec<Seed>) -> Result<Vec<Pending>> {
    let askings = template.synthesis_prompts(&seeds)?;
    if askings.len() != seeds.len() {
        let template = template.descriptor().id.clone();
        let (expected, found) = (seeds.len(), askings.len());
        return Err(Error::WrongNumberOfRows { template, stage: "synthesis_prompts", expected, found });
    }
    let pending = |(seed, asking): (Seed, Asking)| {
        let generation = generation(&plan.generation, &asking.params, seed.number);
        let digest = digest(&asking.messages, &generation);
        let request = GenerateRequest { prompt: Prompt::Chat(asking.messages), generation };
        Pending { seed, request, digest }
    };
    Ok(seeds.into_iter().zip(askings).map(pending).collect())
}

/// The plan's settings, unless the template asks for others; every request has a seed of its own.
fn generation(plan: &GenerationSpec, params: &serde_json::Value, number: u64) -> GenerationSpec {
    let mut generation = GenerationSpec { seed: plan.seed.wrapping_add(number), ..plan.clone() };
    if let Some(temperature) = params.get("temperature").and_then(serde_json::Value::as_f64) {
        generation.temperature = temperature;
    }
    if let Some(max_new_tokens) = params.get("max_new_tokens").and_then(serde_json::Value::as_u64) {
        generation.max_new_tokens = max_new_tokens as usize;
    }
    generation
}

/// Ask what the journal does not know yet, and write it down.
fn answer(
    model: &mut dyn LanguageModel,
    pending: &[Pending],
    journal: &mut Journal,
    cancel: &AtomicBool,
) -> Result<()> {
    let unknown: Vec<&Pending> =
        pending.iter().filter(|one| journal.get(&one.seed.request_id, one.digest).is_none()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let requests: Vec<GenerateRequest> = unknown.iter().map(|one| one.request.clone()).collect();
    let outcomes = model.generate(&requests, &mut |_, _| {}, cancel)?;
    for (one, outcome) in unknown.into_iter().zip(outcomes) {
        let entry = match outcome {
            Ok(completion) => Entry {
                request_id: one.seed.request_id.clone(),
                digest: one.digest,
                output: completion.text,
                finish_reason: match completion.finish_reason {
                    FinishReason::Stop => "stop".to_owned(),
                    FinishReason::Length => "length".to_owned(),
                },
                error: String::new(),
                n_prompt_tokens: completion.n_prompt_tokens as u64,
                n_new_tokens: completion.n_new_tokens as u64,
            },
            Err(error) => Entry {
                request_id: one.seed.request_id.clone(),
                digest: one.digest,
                error: error.code().to_owned(),
                ..Entry::default()
            },
        };
        journal.put(entry)?;
    }
    Ok(())
}

/// What one answer comes to.
fn take(template: &mut dyn TaskTemplate, tally: &mut Tally, plan: &Plan, one: &Pending, entry: &Entry) -> Result<()> {
    let asked = u64::from(one.seed.n_rows);
    tally.ask(&one.seed, entry);
    if !entry.error.is_empty() {
        tally.fail(&entry.error, asked);
        tally.barren();
        return Ok(());
    }
    let output = ModelOutput {
        request_id: entry.request_id.clone(),
        output: entry.output.clone(),
        finish_reason: entry.finish_reason.clone(),
    };
    let parsed = template.parse(&output)?;
    let n_rejects = (parsed.rejects.len() as u64).min(asked);
    let room = asked - n_rejects;
    let n_rows = (parsed.rows.num_rows() as u64).min(room);
    tally.surplus(parsed.rows.num_rows() as u64 - n_rows + parsed.rejects.len() as u64 - n_rejects);
    parsed.rejects.iter().take(n_rejects as usize).for_each(|reject| tally.reject(&reject.code, 1));
    tally.fail(NOT_IN_ANSWER, room - n_rows);
    let rows = parsed.rows.slice(0, n_rows as usize);
    let rows = judge(template, rows, tally)?;
    let rows = deduplicate(template, rows, tally, plan)?;
    if rows.num_rows() == 0 {
        tally.barren();
    } else {
        tally.keep(&one.seed, rows)?;
    }
    Ok(())
}

fn judge(template: &mut dyn TaskTemplate, rows: RecordBatch, tally: &mut Tally) -> Result<RecordBatch> {
    if !template.descriptor().validates || rows.num_rows() == 0 {
        return Ok(rows);
    }
    let verdicts = template.validate(&rows)?;
    check_count(template, "validate", rows.num_rows(), verdicts.len())?;
    verdicts.iter().filter(|verdict| !verdict.keep).for_each(|verdict| tally.reject(&verdict.code, 1));
    let mask: Vec<bool> = verdicts.iter().map(|verdict| verdict.keep).collect();
    Ok(filter_record_batch(&rows, &BooleanArray::from(mask))?)
}

fn deduplicate(
    template: &mut dyn TaskTemplate,
    rows: RecordBatch,
    tally: &mut Tally,
    plan: &Plan,
) -> Result<RecordBatch> {
    if !template.descriptor().dedups || rows.num_rows() == 0 {
        return Ok(rows);
    }
    let keys = template.dedup_pairs(&rows)?;
    check_count(template, "dedup_keys", rows.num_rows(), keys.len())?;
    let mut mask = Vec::with_capacity(keys.len());
    for (exact, near) in keys {
        let reason = if !tally.is_new_key(exact) {
            Some(crate::synthesize::DUPLICATE)
        } else if plan.near_duplicates > 0.0 && !tally.is_new_text(&near, plan.near_duplicates) {
            Some(NEAR_DUPLICATE)
        } else {
            None
        };
        if let Some(reason) = reason {
            tally.reject(reason, 1);
        }
        mask.push(reason.is_none());
    }
    Ok(filter_record_batch(&rows, &BooleanArray::from(mask))?)
}

fn check_count(template: &dyn TaskTemplate, stage: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::WrongNumberOfRows { template: template.descriptor().id.clone(), stage, expected, found })
}

fn finish(id: &str, plan: &Plan, tally: Tally) -> Result<Asked> {
    let reasons = tally.reasons();
    let parts = tally.parts();
    let Some(schema) = parts.first().map(RecordBatch::schema) else {
        return Err(Error::NothingKept { template: id.to_owned(), reasons });
    };
    let rows = concat_batches(&schema, parts)?;
    // The last request may bring more than was still missing: it was asked for, and is kept.
    let warnings = tally.warnings(plan, &reasons);
    let (accounting, usage, yields) = tally.into_parts();
    Ok(Asked { rows, accounting, usage, yields, warnings })
}

/// Texts that were kept, for near duplicates.
pub(crate) type Near = NearDuplicates;

#[cfg(test)]
mod tests;
