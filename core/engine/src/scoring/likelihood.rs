//! Log-likelihoods of references after their prompts, of whole documents, and of choices.

use std::sync::atomic::AtomicBool;

use arrow_array::{Array, ArrayRef, ListArray};
use luthier_data::Message;
use luthier_eval::{Likelihood, Questions, Scored};
use luthier_lm::{Loglikelihood, LoglikelihoodRequest};

use crate::Error;
use crate::answering::Answering;

/// The dataset's column of choices.
const CHOICES: &str = "choices";

/// One for each question. A row without a prompt is a document: all of its reference is scored.
pub(super) fn likelihoods(
    answering: &mut Answering,
    conversations: &[Vec<Message>],
    questions: &Questions,
    with_choices: bool,
    progress: &mut dyn FnMut(usize, usize),
    cancel: &AtomicBool,
) -> Result<Vec<Likelihood>, Error> {
    let choices: Vec<Vec<String>> = match questions.columns.get(CHOICES).filter(|_| with_choices) {
        Some(column) => (0..questions.len()).map(|row| texts(column, row)).collect(),
        None => vec![Vec::new(); questions.len()],
    };
    let mut asked = Vec::with_capacity(questions.len());
    for ((turns, reference), (prompt, choices)) in
        conversations.iter().zip(&questions.references).zip(questions.prompts.iter().zip(choices))
    {
        let (context, is_document) = (answering.context(turns)?, prompt.trim().is_empty());
        asked.push(Row { context, reference, choices, is_document });
    }
    let mut requests = Vec::new();
    for row in &asked {
        if !row.is_document {
            requests.push(request(&row.context, row.reference));
        }
        requests.extend(row.choices.iter().map(|choice| request(&row.context, choice)));
    }
    let documents: Vec<String> =
        asked.iter().filter(|row| row.is_document).map(|row| row.reference.to_owned()).collect();
    let mut model = answering.model();
    let mut scores = model.loglikelihood(&requests, progress, cancel)?.into_iter();
    let rolling = match documents.is_empty() {
        true => Vec::new(),
        false => model.loglikelihood_rolling(&documents, progress, cancel)?,
    };
    let mut rolling = rolling.into_iter();
    let mut found = Vec::with_capacity(asked.len());
    for row in &asked {
        let reference = if row.is_document { rolling.next() } else { scores.next() };
        let of_choices: Vec<_> = scores.by_ref().take(row.choices.len()).collect();
        found.push(match collect(reference, of_choices, row.reference.len() as u64) {
            Ok(scored) => Likelihood::Known(scored),
            Err(error) => Likelihood::Failed(error.code().to_owned()),
        });
    }
    Ok(found)
}

/// What is scored of one question.
struct Row<'a> {
    context: String,
    reference: &'a str,
    choices: Vec<String>,
    is_document: bool,
}

fn request(context: &str, continuation: &str) -> LoglikelihoodRequest {
    LoglikelihoodRequest { context: context.to_owned(), continuation: continuation.to_owned() }
}

fn collect(
    reference: Option<Result<Loglikelihood, luthier_lm::Error>>,
    choices: Vec<Result<Loglikelihood, luthier_lm::Error>>,
    n_bytes: u64,
) -> Result<Scored, luthier_lm::Error> {
    let reference = reference.unwrap_or(Err(luthier_lm::Error::Interrupted))?;
    let choices =
        choices.into_iter().map(|choice| Ok(choice?.loglikelihood)).collect::<Result<_, luthier_lm::Error>>()?;
    let n_tokens = reference.n_tokens as u64;
    Ok(Scored { loglikelihood: reference.loglikelihood, n_tokens, n_bytes, choices })
}

/// The texts of a list, or of a JSON list.
fn texts(column: &ArrayRef, row: usize) -> Vec<String> {
    if let Some(lists) = column.as_any().downcast_ref::<ListArray>() {
        let list = lists.value(row);
        return (0..list.len()).map(|item| luthier_data::cell_text(list.as_ref(), item)).collect();
    }
    serde_json::from_str(&luthier_data::cell_text(column.as_ref(), row)).unwrap_or_default()
}
