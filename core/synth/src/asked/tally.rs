//! Every row that was asked for, counted once.

use std::collections::{BTreeMap, HashSet};

use arrow_array::RecordBatch;
use luthier_protocol::response::Accounting;

use super::{MAX_BARREN_REQUESTS, Near, Plan};
use crate::journal::Entry;
use crate::template::Seed;
use crate::{Error, Result};

/// A model is told of so many rows that it should not repeat.
const MAX_RECENT: usize = 20;

/// Requests and tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests that were answered or failed for good.
    pub requests: u64,
    /// Of these, failed.
    pub failed_requests: u64,
    /// Tokens of prompts, as far as servers said.
    pub prompt_tokens: u64,
    /// Tokens of answers, as far as servers said.
    pub completion_tokens: u64,
}

/// Rows of one topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicYield {
    /// The topic.
    pub topic: String,
    /// Rows asked.
    pub requested: u64,
    /// Rows kept.
    pub kept: u64,
}

/// What has been asked, kept and thrown away so far.
pub(super) struct Tally {
    accounting: Accounting,
    usage: Usage,
    yields: Vec<TopicYield>,
    parts: Vec<RecordBatch>,
    keys: HashSet<String>,
    texts: Near,
    /// Near texts of kept rows by topic, and those of the rows just judged.
    recent: BTreeMap<String, Vec<String>>,
    fresh: Vec<String>,
    n_barren: u32,
    n_surplus: u64,
}

impl Tally {
    pub(super) fn new(plan: &Plan) -> Self {
        let topics = if plan.topics.is_empty() { vec![String::new()] } else { plan.topics.clone() };
        Tally {
            accounting: Accounting::default(),
            usage: Usage::default(),
            yields: topics.into_iter().map(|topic| TopicYield { topic, ..TopicYield::default() }).collect(),
            parts: Vec::new(),
            keys: HashSet::new(),
            texts: Near::default(),
            recent: BTreeMap::new(),
            fresh: Vec::new(),
            n_barren: 0,
            n_surplus: 0,
        }
    }

    pub(super) fn kept(&self) -> u64 {
        self.accounting.kept
    }

    pub(super) fn missing(&self, plan: &Plan) -> u64 {
        u64::from(plan.wanted).saturating_sub(self.kept())
    }

    /// Neither is the budget spent, nor has nothing new come for long.
    pub(super) fn goes_on(&self, plan: &Plan) -> bool {
        let spent = self.usage.prompt_tokens + self.usage.completion_tokens;
        self.n_barren < MAX_BARREN_REQUESTS && plan.max_tokens.is_none_or(|limit| spent < limit)
    }

    pub(super) fn recent(&self, topic: &str) -> Vec<String> {
        self.recent.get(topic).cloned().unwrap_or_default()
    }

    pub(super) fn ask(&mut self, seed: &Seed, entry: &Entry) {
        self.accounting.requested += u64::from(seed.n_rows);
        self.usage.requests += 1;
        self.usage.failed_requests += u64::from(!entry.error.is_empty());
        self.usage.prompt_tokens += entry.n_prompt_tokens;
        self.usage.completion_tokens += entry.n_new_tokens;
        if let Some(of_topic) = self.yields.iter_mut().find(|of_topic| of_topic.topic == seed.topic) {
            of_topic.requested += u64::from(seed.n_rows);
        }
        self.fresh.clear();
    }

    pub(super) fn keep(&mut self, seed: &Seed, rows: RecordBatch) -> Result<()> {
        let n = rows.num_rows() as u64;
        if let Some(first) = self.parts.first()
            && first.schema() != rows.schema()
        {
            let names = |batch: &RecordBatch| {
                let schema = batch.schema();
                schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>().join(", ")
            };
            let (expected, found) = (names(first), names(&rows));
            return Err(Error::ColumnsChanged { template: seed.request_id.clone(), expected, found });
        }
        self.accounting.kept += n;
        if let Some(of_topic) = self.yields.iter_mut().find(|of_topic| of_topic.topic == seed.topic) {
            of_topic.kept += n;
        }
        let recent = self.recent.entry(seed.topic.clone()).or_default();
        recent.append(&mut self.fresh);
        let excess = recent.len().saturating_sub(MAX_RECENT);
        recent.drain(..excess);
        self.parts.push(rows);
        self.n_barren = 0;
        Ok(())
    }

    pub(super) fn barren(&mut self) {
        self.n_barren += 1;
    }

    pub(super) fn surplus(&mut self, n: u64) {
        self.n_surplus += n;
    }

    pub(super) fn reject(&mut self, reason: &str, n: u64) {
        count(&mut self.accounting.rejected, reason, n);
    }

    pub(super) fn fail(&mut self, reason: &str, n: u64) {
        count(&mut self.accounting.failed, reason, n);
    }

    pub(super) fn is_new_key(&mut self, key: String) -> bool {
        self.keys.insert(key)
    }

    pub(super) fn is_new_text(&mut self, text: &str, threshold: f64) -> bool {
        let is_new = self.texts.insert(text, threshold);
        if is_new && !text.is_empty() {
            self.fresh.push(text.to_owned());
        }
        is_new
    }

    pub(super) fn parts(&self) -> &[RecordBatch] {
        &self.parts
    }

    /// How many rows are missing, by reason.
    pub(super) fn reasons(&self) -> String {
        let counts = self.accounting.rejected.iter().chain(&self.accounting.failed);
        counts.map(|(reason, n)| format!("{n} {reason}")).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn warnings(&self, plan: &Plan, reasons: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        let (kept, wanted) = (self.kept(), u64::from(plan.wanted));
        if kept < wanted {
            let why = match self.n_barren {
                n if n >= MAX_BARREN_REQUESTS => format!("the last {n} requests brought nothing new"),
                _ => "the token budget is spent".to_owned(),
            };
            warnings.push(format!("{kept} rows of {wanted} that were wanted: {why} ({reasons})"));
        }
        if self.n_surplus > 0 {
            warnings.push(format!("{} rows more than asked for in one answer were left out", self.n_surplus));
        }
        warnings
    }

    pub(super) fn into_parts(self) -> (Accounting, Usage, Vec<TopicYield>) {
        (self.accounting, self.usage, self.yields)
    }
}

fn count(counts: &mut BTreeMap<String, u64>, reason: &str, n: u64) {
    if n > 0 {
        let reason = if reason.trim().is_empty() { "no-reason" } else { reason.trim() };
        *counts.entry(reason.to_owned()).or_default() += n;
    }
}
