//! From a template to a table of rows that were judged and counted.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::{concat::concat_batches, filter::filter_record_batch};
use luthier_protocol::response::Accounting;

use crate::template::{TaskTemplate, TemplateDescriptor, Verdict};
use crate::{Error, Result};

/// How to ask a template.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthesisOptions {
    /// Rows asked of the generator at a time.
    pub batch_rows: u32,
    /// Give up after this many rows in a row of which none could be kept.
    pub max_barren_rows: u64,
}

impl Default for SynthesisOptions {
    fn default() -> Self {
        SynthesisOptions { batch_rows: 256, max_barren_rows: 2048 }
    }
}

/// Rows, and what became of all the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Synthesis {
    /// The rows kept, in the order in which they were made; at most as many as wanted.
    pub rows: RecordBatch,
    /// Every row that the generator was asked for: requested = kept + rejected + failed.
    pub accounting: Accounting,
    /// Things to know that stopped nothing.
    pub warnings: Vec<String>,
}

/// Reason of rows that the generator was asked for and did not make.
pub const NOT_GENERATED: &str = "not-generated";
/// Reason of rows whose key another row had before.
pub const DUPLICATE: &str = "duplicate";

/// Ask `template` for rows until `wanted` are kept or it has no more. The same template from the
/// same seed gives the same rows: only what is still missing is asked for, so nothing is made and
/// thrown away.
///
/// `progress(kept, wanted)` is called after every batch.
///
/// # Errors
/// A template without a generator, a stage that fails as a whole or does not answer row by row, not
/// one row kept, or `cancel`.
pub fn synthesize(
    template: &mut dyn TaskTemplate,
    wanted: u32,
    options: &SynthesisOptions,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &AtomicBool,
) -> Result<Synthesis> {
    let descriptor = template.descriptor().clone();
    if !descriptor.generates {
        return Err(Error::DoesNotGenerate { template: descriptor.id });
    }
    if wanted == 0 {
        return Err(Error::NothingRequested);
    }
    let mut tally = Tally::default();
    let (mut kept, mut n_barren_rows) = (Vec::new(), 0);
    while tally.kept() < u64::from(wanted) && n_barren_rows < options.max_barren_rows {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let missing = wanted - tally.kept() as u32;
        let n_asked = missing.min(options.batch_rows.max(1));
        let batch = generate(template, &descriptor, n_asked, tally.schema.as_ref())?;
        tally.schema.get_or_insert_with(|| batch.schema());
        let n_made = batch.num_rows();
        tally.count(n_asked, n_made);
        let batch = judge(template, &descriptor, batch, &mut tally)?;
        let batch = deduplicate(template, &descriptor, batch, &mut tally)?;
        n_barren_rows = if batch.num_rows() == 0 { n_barren_rows + u64::from(n_asked) } else { 0 };
        tally.accounting.kept += batch.num_rows() as u64;
        kept.push(batch);
        progress(tally.kept(), u64::from(wanted));
        if n_made < n_asked as usize {
            break;
        }
    }
    finish(&descriptor, wanted, tally, &kept)
}

/// What has been seen and counted so far.
#[derive(Default)]
struct Tally {
    accounting: Accounting,
    keys: HashSet<String>,
    schema: Option<SchemaRef>,
}

impl Tally {
    fn kept(&self) -> u64 {
        self.accounting.kept
    }

    fn count(&mut self, n_asked: u32, n_made: usize) {
        self.accounting.requested += u64::from(n_asked);
        let n_missing = u64::from(n_asked) - n_made as u64;
        if n_missing > 0 {
            *self.accounting.failed.entry(NOT_GENERATED.into()).or_default() += n_missing;
        }
    }

    fn reject(&mut self, reason: &str) {
        let reason = if reason.trim().is_empty() { "no-reason" } else { reason.trim() };
        *self.accounting.rejected.entry(reason.to_owned()).or_default() += 1;
    }
}

fn generate(
    template: &mut dyn TaskTemplate,
    descriptor: &TemplateDescriptor,
    n_asked: u32,
    schema: Option<&SchemaRef>,
) -> Result<RecordBatch> {
    let batch = template.generate(n_asked)?;
    check_count(descriptor, "generate", n_asked as usize, batch.num_rows().max(n_asked as usize))?;
    match schema {
        Some(expected) if *expected != batch.schema() => Err(Error::ColumnsChanged {
            template: descriptor.id.clone(),
            expected: columns(expected),
            found: columns(&batch.schema()),
        }),
        _ => Ok(batch),
    }
}

/// Keep what the template's own verdict keeps.
fn judge(
    template: &mut dyn TaskTemplate,
    descriptor: &TemplateDescriptor,
    batch: RecordBatch,
    tally: &mut Tally,
) -> Result<RecordBatch> {
    if !descriptor.validates || batch.num_rows() == 0 {
        return Ok(batch);
    }
    let verdicts: Vec<Verdict> = template.validate(&batch)?;
    check_count(descriptor, "validate", batch.num_rows(), verdicts.len())?;
    verdicts.iter().filter(|verdict| !verdict.keep).for_each(|verdict| tally.reject(&verdict.code));
    keep(&batch, verdicts.iter().map(|verdict| verdict.keep).collect())
}

/// Keep the first row of each key, of this batch and all before.
fn deduplicate(
    template: &mut dyn TaskTemplate,
    descriptor: &TemplateDescriptor,
    batch: RecordBatch,
    tally: &mut Tally,
) -> Result<RecordBatch> {
    if !descriptor.dedups || batch.num_rows() == 0 {
        return Ok(batch);
    }
    let keys = template.dedup_keys(&batch)?;
    check_count(descriptor, "dedup_keys", batch.num_rows(), keys.len())?;
    let is_new: Vec<bool> = keys.into_iter().map(|key| tally.keys.insert(key)).collect();
    is_new.iter().filter(|is_new| !**is_new).for_each(|_| tally.reject(DUPLICATE));
    keep(&batch, is_new)
}

fn keep(batch: &RecordBatch, mask: Vec<bool>) -> Result<RecordBatch> {
    Ok(filter_record_batch(batch, &BooleanArray::from(mask))?)
}

fn check_count(descriptor: &TemplateDescriptor, stage: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::WrongNumberOfRows { template: descriptor.id.clone(), stage, expected, found })
}

fn columns(schema: &SchemaRef) -> String {
    let fields = schema.fields().iter();
    fields.map(|field| format!("{} {}", field.name(), field.data_type())).collect::<Vec<_>>().join(", ")
}

fn finish(descriptor: &TemplateDescriptor, wanted: u32, tally: Tally, kept: &[RecordBatch]) -> Result<Synthesis> {
    let accounting = tally.accounting;
    let (Some(schema), 1..) = (&tally.schema, accounting.kept) else {
        let reasons = reasons(&[&accounting.rejected, &accounting.failed]);
        return Err(Error::NothingKept { template: descriptor.id.clone(), reasons });
    };
    let rows = concat_batches(schema, kept)?;
    let mut warnings = Vec::new();
    if accounting.kept < u64::from(wanted) {
        let reasons = reasons(&[&accounting.rejected, &accounting.failed]);
        let n = accounting.kept;
        warnings.push(format!("template {} made {n} rows of {wanted} that were wanted: {reasons}", descriptor.id));
    }
    Ok(Synthesis { rows, accounting, warnings })
}

fn reasons(counts: &[&BTreeMap<String, u64>]) -> String {
    let counts = counts.iter().flat_map(|counts| counts.iter());
    counts.map(|(reason, n)| format!("{n} {reason}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
