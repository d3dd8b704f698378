use luthier_data::Answer;
use luthier_lm::{FinishReason, Loglikelihood, LoglikelihoodRequest, Outcomes};

use super::*;
use crate::prediction::Outcome;

/// Answers each prompt with itself in capitals; prompts that start with `!` fail.
struct Echo {
    n_missing: usize,
}

impl LanguageModel for Echo {
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        progress: &mut dyn FnMut(usize, usize),
        _: &AtomicBool,
    ) -> Result<Vec<Result<Completion, luthier_lm::Error>>, luthier_lm::Error> {
        progress(requests.len(), requests.len());
        let answer = |request: &GenerateRequest| match request.prompt.last() {
            "!long" => Err(luthier_lm::Error::TooLong { n_tokens: 9, max_seq_len: 8 }),
            "!stop" => Err(luthier_lm::Error::Interrupted),
            prompt => Ok(Completion {
                text: prompt.to_uppercase(),
                finish_reason: FinishReason::Stop,
                n_prompt_tokens: 1,
                n_new_tokens: 1,
            }),
        };
        Ok(requests[self.n_missing..].iter().map(answer).collect())
    }

    fn loglikelihood(
        &mut self,
        _: &[LoglikelihoodRequest],
        _: &mut dyn FnMut(usize, usize),
        _: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
        Ok(Vec::new())
    }

    fn loglikelihood_rolling(
        &mut self,
        _: &[String],
        _: &mut dyn FnMut(usize, usize),
        _: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
        Ok(Vec::new())
    }
}

/// The text up to a semicolon; without one there is no answer.
struct UpToSemicolon;

impl AnswerExtractor for UpToSemicolon {
    fn extract(&mut self, completions: &[String]) -> luthier_data::Result<Vec<Answer>> {
        let answer = |completion: &String| match completion.split_once(';') {
            Some((answer, _)) => Answer::Found(answer.into()),
            None => Answer::Missing("no semicolon".into()),
        };
        Ok(completions.iter().map(answer).collect())
    }
}

fn run(prompts: &[&str], n_missing: usize) -> Result<Vec<Prediction>> {
    let prompts = prompts.iter().map(|&prompt| prompt.to_owned()).collect();
    let (generation, cancel) = (GenerationSpec::default(), AtomicBool::new(false));
    predict(&mut Echo { n_missing }, prompts, &generation, &mut UpToSemicolon, &mut |_, _| {}, &cancel)
}

#[test]
fn predictions_stay_with_their_prompts_around_rows_that_fail() {
    let found: Vec<Outcome> =
        run(&["a;x", "!long", "b", "c;"], 0).unwrap().into_iter().map(|prediction| prediction.outcome).collect();
    let answer = |text: &str| Outcome::Answer(text.into());
    assert_eq!(found, [answer("A"), Outcome::Failed("too-long".into()), answer(""), answer("C")]);
}

#[test]
fn an_interrupt_ends_the_evaluation() {
    let error = run(&["a", "!stop"], 0).unwrap_err();
    assert!(matches!(error, Error::Model(luthier_lm::Error::Interrupted)), "{error}");
}

#[test]
fn a_model_that_does_not_answer_row_by_row_is_an_error() {
    assert!(matches!(run(&["a", "b"], 1), Err(Error::Length { expected: 2, found: 1, .. })));
}
