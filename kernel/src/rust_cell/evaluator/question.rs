//! Questions that a cell asks the person. evcxr's own (`evcxr_input`) wait here, in the evaluator; those
//! of our client wait in the cell process and are answered through the watcher.

use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};

use luthier::notebook::Operation;

use super::super::RustOutput;
use super::super::wire::ToWatcher;
use super::{Interrupter, output};

#[derive(Default)]
pub(super) struct Questions {
    /// Where evcxr waits.
    waiting: Mutex<Option<Sender<String>>>,
}

impl Questions {
    /// Ask, and wait for the line; empty if there is no answer (evcxr knows no failure here).
    pub(super) fn ask(&self, prompt: &str, password: bool) -> String {
        let (sender, receiver) = mpsc::channel();
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        output(RustOutput::Operation(Operation::Input { prompt: prompt.to_owned(), password }));
        receiver.recv().unwrap_or_default()
    }

    /// To whoever asked.
    pub(super) fn answer(&self, line: Result<String, String>, interrupter: &Interrupter) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        match waiting {
            Some(waiting) => {
                if let Err(why) = &line {
                    output(RustOutput::Stderr(format!("{why}\n")));
                }
                let _ = waiting.send(line.unwrap_or_default());
            }
            None => {
                interrupter.tell(&ToWatcher::Answer { line });
            }
        }
    }
}
