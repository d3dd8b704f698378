//! Log-likelihoods of a local model: of a continuation after its context, and of whole documents.

use std::sync::atomic::AtomicBool;

use luthier_lm::{Loglikelihood, LoglikelihoodRequest, Outcomes};
use luthier_model::{IGNORE_INDEX, SequenceBatch};

use super::{LocalModel, failed, model_failed};

/// Sequences that are scored together; a score does not depend on it.
const SEQUENCES_PER_BATCH: usize = 8;

/// Ids, and labels of those that are scored.
pub(super) type Sequence = (Vec<u32>, Vec<i32>);

impl LocalModel<'_> {
    /// Ids of context and continuation; labels of the continuation alone. White space at the end of
    /// the context goes to the continuation, where tokenizers put it (as lm-evaluation-harness does).
    pub(super) fn sequence(&self, request: &LoglikelihoodRequest) -> Result<Sequence, luthier_lm::Error> {
        let whole = format!("{}{}", request.context, request.continuation);
        let context_text = request.context.trim_end();
        let mut context = if context_text.is_empty() { Vec::new() } else { self.encode(context_text)? };
        let together = self.encode(&whole)?;
        let continuation = match together.strip_prefix(context.as_slice()) {
            Some(continuation) => continuation.to_vec(),
            // The join merged tokens: the continuation is scored as text of its own.
            None => {
                let tokenizer = &self.opened.base.prompter.tokenizer;
                tokenizer.encode(whole.get(context_text.len()..).unwrap_or_default(), false).map_err(failed)?
            }
        };
        if context.is_empty() {
            context.extend(self.prefix());
        }
        let mut labels = vec![IGNORE_INDEX; context.len()];
        labels.extend(continuation.iter().map(|id| *id as i32));
        if let (true, Some(first)) = (context.is_empty(), labels.first_mut()) {
            // Nothing comes before the first token, so nothing predicts it.
            *first = IGNORE_INDEX;
        }
        let ids = [context, continuation].concat();
        let (n_tokens, max_seq_len) = (ids.len(), self.opened.base.model.config().max_seq_len);
        if n_tokens > max_seq_len {
            return Err(luthier_lm::Error::TooLong { n_tokens, max_seq_len });
        }
        Ok((ids, labels))
    }

    /// A document in windows: every token is scored once. The first follows the token that begins (or
    /// ends) texts; each window begins with the last token before it; the last window reaches back
    /// as far as it can.
    pub(super) fn windows(&self, document: &str) -> Result<Vec<Sequence>, luthier_lm::Error> {
        let tokenizer = &self.opened.base.prompter.tokenizer;
        let mut ids: Vec<u32> = self.prefix().into_iter().collect();
        let n_prefix = ids.len().max(1);
        ids.extend(tokenizer.encode(document, false).map_err(failed)?);
        let max_seq_len = self.opened.base.model.config().max_seq_len;
        let mut windows = Vec::new();
        let mut n_scored = n_prefix;
        while n_scored < ids.len() {
            let end = (n_scored + max_seq_len - 1).min(ids.len());
            let begin = end.saturating_sub(max_seq_len);
            let mut labels = vec![IGNORE_INDEX; n_scored - begin];
            labels.extend(ids.get(n_scored..end).unwrap_or_default().iter().map(|id| *id as i32));
            windows.push((ids.get(begin..end).unwrap_or_default().to_vec(), labels));
            n_scored = end;
        }
        Ok(windows)
    }

    /// The token that texts begin with, else the one that they end with.
    fn prefix(&self) -> Option<u32> {
        let tokenizer = &self.opened.base.prompter.tokenizer;
        tokenizer.bos_id().or_else(|| tokenizer.eos_id())
    }

    /// The sum over the sequences of each request.
    pub(super) fn score(
        &self,
        requests: Vec<Result<Vec<Sequence>, luthier_lm::Error>>,
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
        let n_requests = requests.len();
        let mut outcomes: Outcomes<Loglikelihood> = Vec::with_capacity(n_requests);
        let mut pending: Vec<(usize, Sequence)> = Vec::new();
        for (index, request) in requests.into_iter().enumerate() {
            outcomes.push(match request {
                Err(error) => Err(error),
                Ok(sequences) => {
                    pending.extend(sequences.into_iter().map(|sequence| (index, sequence)));
                    Ok(Loglikelihood { loglikelihood: 0.0, n_tokens: 0, is_greedy: true })
                }
            });
        }
        let (model, adapter) = (&self.opened.base.model, self.opened.adapter.as_deref());
        for part in pending.chunks(SEQUENCES_PER_BATCH) {
            let slices = part.iter().map(|(_, (ids, labels))| (ids.as_slice(), labels.as_slice()));
            let batch = SequenceBatch::from_sequences(slices);
            let scores = luthier_model::loglikelihood(model, adapter, &batch, cancel).map_err(model_failed)?;
            for ((index, _), score) in part.iter().zip(scores) {
                if let Some(Ok(sum)) = outcomes.get_mut(*index) {
                    sum.loglikelihood += score.loglikelihood;
                    sum.n_tokens += score.n_tokens;
                    sum.is_greedy &= score.is_greedy;
                }
            }
            progress(part.last().map_or(0, |(index, _)| *index), n_requests);
        }
        progress(n_requests, n_requests);
        Ok(outcomes)
    }
}
