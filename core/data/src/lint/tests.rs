use super::lint;
use crate::tokenizer::fixture::{CHATML, prompter};
use crate::{Error, Example, IGNORE_INDEX};

fn example(input_ids: &[u32], n_masked: usize) -> Example {
    let label = |(index, id): (usize, &u32)| if index < n_masked { IGNORE_INDEX } else { *id as i32 };
    Example { input_ids: input_ids.to_vec(), labels: input_ids.iter().enumerate().map(label).collect() }
}

fn check(examples: &[Example]) -> Result<Vec<String>, Vec<String>> {
    let rows: Vec<usize> = (0..examples.len()).collect();
    match lint(examples, &rows, &prompter(Some(CHATML), false)) {
        Ok(warnings) => Ok(warnings),
        Err(Error::Lint { findings }) => Err(findings),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn good_examples_pass() {
    assert_eq!(check(&[example(&[10, 11, 12, 3], 2)]), Ok(vec![]));
}

#[test]
fn each_fault_is_named_with_its_rows() {
    let good = example(&[10, 11, 12, 3], 2);
    let finding = |bad: Example| check(&[good.clone(), bad]).unwrap_err().join("\n");
    assert_eq!(finding(example(&[10, 11, 3], 3)), "rows 2 have no token to learn (all labels are masked)");
    assert_eq!(finding(example(&[10, 11, 3], 2)), "rows 2 have an empty completion");
    assert_eq!(finding(example(&[0, 0, 11, 3], 2)), "rows 2 begin with two BOS tokens");
    let misaligned = Example { input_ids: vec![10, 11, 3], labels: vec![IGNORE_INDEX, 12, 3] };
    assert_eq!(finding(misaligned), "rows 2 have labels that are not the tokens they stand at");
    assert_eq!(
        check(&[example(&[10, 11, 12], 1)]),
        Err(vec!["no example has an end token to learn: answers would never end".into()])
    );
    assert_eq!(check(&[]), Err(vec!["there is no example".into()]));
}

#[test]
fn many_rows_are_counted() {
    let findings = check(&vec![example(&[10, 11], 2); 14]).unwrap_err();
    assert_eq!(
        findings[0],
        "rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, and 4 more have no token to learn (all labels are masked)"
    );
}

#[test]
fn an_end_token_inside_the_answer_is_a_warning() {
    let warnings = check(&[example(&[10, 11, 3, 12, 3], 1)]).unwrap();
    assert_eq!(warnings, ["rows 1 hold an end token inside the text to learn; generation will stop there"]);
    // With train_on_prompt the prompt's turns end too.
    assert_eq!(check(&[example(&[10, 11, 3, 12, 3], 0)]), Ok(vec![]));
}
