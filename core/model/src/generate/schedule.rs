//! Which sequences take part in the next forward pass, and with how many tokens.

use super::sample::sample;
use super::{Control, FinishReason, GenerateInput, Generated};
use crate::infer::cache::KvCache;
use crate::infer::{Inference, Segment};
use crate::{Adapter, Model, Result};
use std::sync::atomic::AtomicBool;

/// Sequences in work at one time: bounds the memory of their caches.
const MAX_ACTIVE: usize = 32;

/// Tokens of one forward pass: bounds the memory of activations.
const MAX_ROWS: usize = 2048;

/// Shortest common prefix worth waiting for and copying.
const LEAST_SHARED_PREFIX: usize = 16;

/// New tokens that a cache has room for at first.
const INITIAL_NEW_TOKENS: usize = 128;

/// A sequence in work.
struct Active {
    input: usize,
    /// Prompt and new tokens.
    ids: Vec<u32>,
    n_prompt: usize,
    cache: KvCache,
}

impl Active {
    fn new_ids(&self) -> &[u32] {
        &self.ids[self.n_prompt..]
    }

    fn n_pending(&self) -> usize {
        self.ids.len() - self.cache.len()
    }
}

/// The state of one call to [`generate`](super::generate).
pub(super) struct Scheduler<'a> {
    inference: Inference<'a>,
    inputs: &'a [GenerateInput],
    next_input: usize,
    active: Vec<Active>,
    answers: Vec<Option<Generated>>,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(model: &'a Model, adapter: Option<&'a Adapter>, inputs: &'a [GenerateInput]) -> Self {
        Scheduler {
            inference: Inference::new(model, adapter),
            inputs,
            next_input: 0,
            active: Vec::new(),
            answers: vec![None; inputs.len()],
        }
    }

    /// The answers, in the order of the inputs, once [`step`](Self::step) has returned false.
    pub(super) fn into_answers(self) -> Vec<Generated> {
        self.answers.into_iter().flatten().collect()
    }

    /// Admits prompts, runs one forward pass, chooses tokens. False when everything is answered.
    pub(super) fn step(
        &mut self,
        on_token: &mut dyn FnMut(usize, &[u32]) -> Control,
        cancel: &AtomicBool,
    ) -> Result<bool> {
        self.admit();
        if self.active.is_empty() {
            return Ok(false);
        }
        let (members, rows, x) = self.forward(cancel)?;
        let logits = self.inference.logits(&x, &rows);
        let vocab_size = self.inference.config().vocab_size;
        let mut is_done = vec![false; self.active.len()];
        for (&member, logits) in members.iter().zip(logits.chunks(vocab_size)) {
            if let Some(reason) = self.extend(member, logits, on_token) {
                let sequence = &self.active[member];
                let answer = Generated { ids: sequence.new_ids().to_vec(), finish_reason: reason };
                self.answers[sequence.input] = Some(answer);
                is_done[member] = true;
            }
        }
        let mut done = is_done.into_iter();
        self.active.retain(|_| !done.next().unwrap_or(false));
        Ok(true)
    }

    /// Fills free places. A prompt that shares a beginning with one whose keys are not computed yet
    /// waits for them.
    fn admit(&mut self) {
        let n_ready = self.active.len();
        while self.active.len() < MAX_ACTIVE && self.next_input < self.inputs.len() {
            let input = &self.inputs[self.next_input];
            if input.options.max_new_tokens == 0 {
                let answer = Generated { ids: Vec::new(), finish_reason: FinishReason::Length };
                self.answers[self.next_input] = Some(answer);
                self.next_input += 1;
                continue;
            }
            let prompt = &input.prompt_ids;
            let (donor, copied) = self.best_donor(prompt);
            let awaited = self.active[n_ready..].iter().map(|other| shared(prompt, &other.ids)).max().unwrap_or(0);
            if awaited >= copied + LEAST_SHARED_PREFIX {
                return;
            }
            let room = prompt.len() + input.options.max_new_tokens.min(INITIAL_NEW_TOKENS);
            let mut cache = KvCache::new(self.inference.config(), room);
            if let Some(donor) = donor {
                cache.copy_prefix(&self.active[donor].cache, copied);
            }
            self.active.push(Active { input: self.next_input, ids: prompt.clone(), n_prompt: prompt.len(), cache });
            self.next_input += 1;
        }
    }

    /// The sequence whose computed keys agree longest with the start of `prompt`. The last token is
    /// always computed, because its logits are needed.
    fn best_donor(&self, prompt: &[u32]) -> (Option<usize>, usize) {
        let config = self.inference.config();
        let usable = |other: &Active| match config.rotates_differently(prompt.len(), other.cache.length()) {
            true => 0,
            false => shared(&prompt[..prompt.len() - 1], &other.ids[..other.cache.len()]),
        };
        let best = self.active.iter().map(usable).enumerate().max_by_key(|&(i, n)| (n, usize::MAX - i));
        match best {
            Some((i, n)) if n >= LEAST_SHARED_PREFIX => (Some(i), n),
            _ => (None, 0),
        }
    }

    /// One forward pass. Returns the sequences that are due a token, the rows of their last tokens and
    /// the hidden states. Single new tokens go first, then prompts while there is room.
    fn forward(&mut self, cancel: &AtomicBool) -> Result<(Vec<usize>, Vec<usize>, Vec<f32>)> {
        self.restart_where_rotation_changes();
        let mut order: Vec<usize> = (0..self.active.len()).collect();
        order.sort_by_key(|&i| (self.active[i].n_pending() > 1, i));
        let mut n_tokens = vec![0; self.active.len()];
        let mut free = MAX_ROWS;
        for i in order {
            n_tokens[i] = self.active[i].n_pending().min(free);
            free -= n_tokens[i];
        }
        let (mut members, mut rows, mut segments) = (Vec::new(), Vec::new(), Vec::new());
        let mut n_rows = 0;
        for (i, sequence) in self.active.iter_mut().enumerate().filter(|&(i, _)| n_tokens[i] > 0) {
            let start = sequence.cache.len();
            let end = start + n_tokens[i];
            n_rows += n_tokens[i];
            if end == sequence.ids.len() {
                members.push(i);
                rows.push(n_rows - 1);
            }
            let length = sequence.ids.len();
            segments.push(Segment { ids: &sequence.ids[start..end], cache: &mut sequence.cache, length });
        }
        let x = self.inference.forward(&mut segments, cancel)?;
        Ok((members, rows, x))
    }

    /// Forgets the keys of sequences that have become so long that all of their positions are rotated
    /// differently (LongRoPE), as in one forward pass over the whole sequence.
    fn restart_where_rotation_changes(&mut self) {
        let config = self.inference.config();
        for sequence in &mut self.active {
            if sequence.cache.len() > 0 && config.rotates_differently(sequence.cache.length(), sequence.ids.len()) {
                sequence.cache.clear();
            }
        }
    }

    /// Chooses a sequence's next token; a reason if that ends it.
    fn extend(
        &mut self,
        member: usize,
        logits: &[f32],
        on_token: &mut dyn FnMut(usize, &[u32]) -> Control,
    ) -> Option<FinishReason> {
        let sequence = &mut self.active[member];
        let options = &self.inputs[sequence.input].options;
        let id = sample(logits, options, sequence.new_ids().len());
        if options.stop_token_ids.contains(&id) {
            return Some(FinishReason::Stop);
        }
        sequence.ids.push(id);
        if on_token(sequence.input, sequence.new_ids()) == Control::Stop {
            return Some(FinishReason::Stop);
        }
        (sequence.new_ids().len() >= options.max_new_tokens).then_some(FinishReason::Length)
    }
}

/// Length of the common beginning.
fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
