//! Rows worth looking at.

use luthier_protocol::response::ExampleRow;

use super::ScoredArm;
use crate::prediction::Questions;

/// At most `per_part` rows of each part, in the data's order: rows on which the arms disagree under
/// the first metric, or, with a single arm, rows without the best score that it reached. `scores`
/// are by arm, then by row.
pub(super) fn examples(
    questions: &Questions,
    higher_is_better: bool,
    arms: &[ScoredArm],
    scores: &[Vec<Option<f64>>],
    per_part: usize,
) -> Vec<ExampleRow> {
    let scores_of = |row: usize| scores.iter().map(|scores| scores[row]).collect::<Vec<_>>();
    let best = best_score(higher_is_better, scores);
    let is_worth = |row: usize| {
        let scores = scores_of(row);
        match scores.as_slice() {
            [only] => *only != best,
            several => several.windows(2).any(|pair| pair[0] != pair[1]),
        }
    };
    let mut examples = Vec::new();
    for part in questions.part_names() {
        let rows = (0..questions.len()).filter(|&row| questions.parts[row] == part && is_worth(row));
        examples.extend(rows.take(per_part).map(|row| example(questions, arms, row, &scores_of(row))));
    }
    examples
}

fn best_score(higher_is_better: bool, scores: &[Vec<Option<f64>>]) -> Option<f64> {
    let scores = scores.first()?.iter().flatten().copied();
    match higher_is_better {
        true => scores.max_by(f64::total_cmp),
        false => scores.min_by(f64::total_cmp),
    }
}

fn example(questions: &Questions, arms: &[ScoredArm], row: usize, scores: &[Option<f64>]) -> ExampleRow {
    let answer = |(arm, score): (&ScoredArm, &Option<f64>)| {
        let answer = arm.predictions[row].answer().unwrap_or_default().to_owned();
        (arm.label.clone(), answer, *score)
    };
    ExampleRow {
        part: questions.parts[row].clone(),
        prompt: questions.prompts[row].clone(),
        reference: questions.references[row].clone(),
        answers: arms.iter().zip(scores).map(answer).collect(),
    }
}
