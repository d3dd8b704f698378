//! One answer while it grows: its text, its stop strings, and what of it may be shown already.

use luthier_data::{StopMatcher, Tokenizer};
use luthier_model::Control;

/// Text of the new ids so far.
pub(super) struct Answer {
    tokenizer: Tokenizer,
    stops: StopMatcher,
    watches: bool,
    text: String,
    cut: Option<usize>,
    is_new: bool,
    n_streamed: usize,
}

impl Answer {
    pub(super) fn new(tokenizer: &Tokenizer, stops: &[String]) -> Answer {
        Answer {
            tokenizer: tokenizer.clone(),
            stops: StopMatcher::new(stops),
            watches: stops.iter().any(|stop| !stop.is_empty()),
            text: String::new(),
            cut: None,
            is_new: true,
            n_streamed: 0,
        }
    }

    /// No token has come yet.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// A stop string ended it.
    pub(super) fn found_stop(&self) -> bool {
        self.cut.is_some()
    }

    /// All new ids so far, one more than before. The text is made only if somebody looks at it.
    pub(super) fn push(&mut self, ids: &[u32], is_streamed: bool) -> Control {
        self.is_new = false;
        if !self.watches && !is_streamed {
            return Control::Continue;
        }
        // Decoded from the beginning each time: a token's text depends on its neighbors.
        self.text = self.tokenizer.decode(ids, true).unwrap_or_default();
        if self.watches
            && let Some(found) = self.stops.check(&self.text)
        {
            self.cut = Some(found.cut);
            return Control::Stop;
        }
        Control::Continue
    }

    /// Pass on what can no longer change: not half a character, not what may begin a stop string.
    pub(super) fn stream(&mut self, sink: &mut (dyn FnMut(&str) + Send)) {
        let settled = match self.cut {
            Some(cut) => cut,
            None => self.stops.settled(&self.text).min(whole_characters(&self.text)),
        };
        self.pass_on(settled, sink);
    }

    /// The completion, from all its ids; the rest of it is passed on.
    pub(super) fn finish(
        mut self,
        ids: &[u32],
        sink: Option<&mut (dyn FnMut(&str) + Send + '_)>,
    ) -> Result<String, luthier_data::Error> {
        self.text = self.tokenizer.decode(ids, true)?;
        if self.watches {
            self.cut = StopMatcher::clone(&self.stops).check(&self.text).map(|found| found.cut).or(self.cut);
        }
        if let Some(cut) = self.cut.filter(|cut| self.text.is_char_boundary(*cut)) {
            self.text.truncate(cut);
        }
        if let Some(sink) = sink {
            self.pass_on(self.text.len(), sink);
        }
        Ok(self.text)
    }

    fn pass_on(&mut self, end: usize, sink: &mut (dyn FnMut(&str) + Send)) {
        if let Some(piece) = self.text.get(self.n_streamed..end).filter(|piece| !piece.is_empty()) {
            sink(piece);
            self.n_streamed = end;
        }
    }
}

/// The text without a last character of which only some bytes have come (it decodes to U+FFFD).
fn whole_characters(text: &str) -> usize {
    text.trim_end_matches('\u{FFFD}').len()
}
