use std::sync::Arc;

use arrow_array::{Array, StringArray};
use luthier_lm::{Completion, Loglikelihood, LoglikelihoodRequest, Outcomes};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::template::{ParsedOutput, Reject, TemplateDescriptor, Verdict};

/// Asks for words, one per line; `!` lines are no rows, empty answers none, words with `x` are invalid.
struct Words(TemplateDescriptor);

fn words() -> Words {
    Words(TemplateDescriptor {
        id: "words".into(),
        version: "1.0.0".into(),
        summary: String::new(),
        config_schema: json!({}),
        prompt_columns: vec!["word".into()],
        target_column: None,
        group_column: None,
        metrics: Vec::new(),
        databases: Vec::new(),
        generates: false,
        validates: true,
        dedups: true,
        asks: true,
    })
}

fn batch(words: &[&str]) -> RecordBatch {
    let array: arrow_array::ArrayRef = Arc::new(StringArray::from(words.to_vec()));
    RecordBatch::try_from_iter([("word", array)]).unwrap()
}

fn texts(rows: &RecordBatch) -> Vec<String> {
    let column = rows.column(0).as_any().downcast_ref::<StringArray>().unwrap();
    (0..column.len()).map(|row| column.value(row).to_owned()).collect()
}

impl TaskTemplate for Words {
    fn descriptor(&self) -> &TemplateDescriptor {
        &self.0
    }

    fn generate(&mut self, _: u32) -> Result<RecordBatch> {
        unreachable!()
    }

    fn validate(&mut self, rows: &RecordBatch) -> Result<Vec<Verdict>> {
        let verdict =
            |word: String| Verdict { keep: !word.contains('x'), code: "has-x".into(), message: String::new() };
        Ok(texts(rows).into_iter().map(verdict).collect())
    }

    fn dedup_keys(&mut self, rows: &RecordBatch) -> Result<Vec<String>> {
        Ok(texts(rows))
    }

    fn dedup_pairs(&mut self, rows: &RecordBatch) -> Result<Vec<(String, String)>> {
        Ok(texts(rows).into_iter().map(|word| (word.clone(), word)).collect())
    }

    fn synthesis_prompts(&mut self, seeds: &[Seed]) -> Result<Vec<Asking>> {
        let asking = |seed: &Seed| Asking {
            messages: vec![luthier_lm::Message {
                role: "user".into(),
                content: format!("{} words on {:?}, not {}", seed.n_rows, seed.topic, seed.avoid.join(" ")),
            }],
            params: json!({ "temperature": 0.5 }),
        };
        Ok(seeds.iter().map(asking).collect())
    }

    fn parse(&mut self, output: &ModelOutput) -> Result<ParsedOutput> {
        let lines: Vec<&str> = output.output.lines().collect();
        let (bad, good): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| line.starts_with('!'));
        let reject = |_: &str| Reject { code: "no-word".into(), message: String::new() };
        Ok(ParsedOutput { rows: batch(&good), rejects: bad.into_iter().map(reject).collect() })
    }
}

/// Answers request `i` with `answers[i]`; `None` fails; after the last it says nothing.
struct Script {
    answers: Vec<Option<String>>,
    n_asked: usize,
    seeds: Vec<u64>,
    dies_after: usize,
}

fn script(answers: &[Option<&str>]) -> Script {
    let answers = answers.iter().map(|answer| answer.map(str::to_owned)).collect();
    Script { answers, n_asked: 0, seeds: Vec::new(), dies_after: usize::MAX }
}

impl LanguageModel for Script {
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        _: &mut dyn FnMut(usize, usize),
        _: &AtomicBool,
    ) -> std::result::Result<Outcomes<Completion>, luthier_lm::Error> {
        let mut outcomes = Vec::new();
        for request in requests {
            // A killed process answers nothing more.
            if self.n_asked >= self.dies_after {
                return Err(luthier_lm::Error::Interrupted);
            }
            let number = (request.generation.seed - 100) as usize;
            self.n_asked += 1;
            self.seeds.push(request.generation.seed);
            assert_eq!(request.generation.temperature, 0.5);
            outcomes.push(match self.answers.get(number).cloned().unwrap_or(Some(String::new())) {
                Some(text) => {
                    Ok(Completion { text, finish_reason: FinishReason::Stop, n_prompt_tokens: 10, n_new_tokens: 3 })
                }
                None => Err(luthier_lm::Error::Rejected { status: 400, message: String::new() }),
            });
        }
        Ok(outcomes)
    }

    fn loglikelihood(
        &mut self,
        _: &[LoglikelihoodRequest],
        _: &mut dyn FnMut(usize, usize),
        _: &AtomicBool,
    ) -> std::result::Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
        unreachable!()
    }

    fn loglikelihood_rolling(
        &mut self,
        _: &[String],
        _: &mut dyn FnMut(usize, usize),
        _: &AtomicBool,
    ) -> std::result::Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
        unreachable!()
    }
}

fn plan(wanted: u32) -> Plan {
    Plan {
        wanted,
        topics: vec!["fruit".into(), "birds".into()],
        documents: Vec::new(),
        per_request: 3,
        concurrency: 2,
        near_duplicates: 0.7,
        max_tokens: None,
        generation: GenerationSpec { seed: 100, ..GenerationSpec::default() },
    }
}

fn run(script: &mut Script, plan: &Plan, journal: &mut Journal) -> Result<Asked> {
    synthesize_asking(&mut words(), script, plan, journal, &mut |_, _| {}, &AtomicBool::new(false))
}

fn balanced(accounting: &Accounting) -> bool {
    let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
    accounting.requested == accounting.kept + sum(&accounting.rejected) + sum(&accounting.failed)
}

#[test]
fn every_row_asked_for_is_kept_rejected_or_failed_and_says_why() {
    let mut script = script(&[
        Some("apple\npear\n!none"),
        None,
        Some("apple\nthe red plum tree here"),
        Some("box"),
        Some("the red plum trees here\nfig\nkiwi\nlime"),
        Some("wren"),
    ]);
    let asked = run(&mut script, &plan(6), &mut Journal::in_memory()).unwrap();
    assert_eq!(texts(&asked.rows), ["apple", "pear", "the red plum tree here", "fig", "kiwi", "wren"]);
    assert!(balanced(&asked.accounting), "{:?}", asked.accounting);
    let counts = |counts: &[(&str, u64)]| counts.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    assert_eq!(
        asked.accounting.rejected,
        counts(&[("duplicate", 1), ("has-x", 1), ("near-duplicate", 1), ("no-word", 1)])
    );
    assert_eq!(asked.accounting.failed, counts(&[("not-in-answer", 1), ("refused", 3)]));
    assert_eq!(asked.usage, Usage { requests: 6, failed_requests: 1, prompt_tokens: 50, completion_tokens: 15 });
    assert_eq!(asked.warnings, ["1 rows more than asked for in one answer were left out"]);
    let of_topic: Vec<(&str, u64, u64)> =
        asked.yields.iter().map(|of_topic| (of_topic.topic.as_str(), of_topic.requested, of_topic.kept)).collect();
    assert_eq!(of_topic.iter().map(|(.., kept)| kept).sum::<u64>(), 6);
    assert_eq!((of_topic[0].0, of_topic[1].0), ("fruit", "birds"));
}

#[test]
fn asking_ends_when_nothing_new_comes() {
    let mut script = script(&[Some("apple\npear\nfig")]);
    let asked = run(&mut script, &plan(10), &mut Journal::in_memory()).unwrap();
    assert_eq!(asked.rows.num_rows(), 3);
    assert!(asked.warnings[0].starts_with("3 rows of 10 that were wanted: the last"), "{:?}", asked.warnings);
    assert!(balanced(&asked.accounting));
    let error = run(&mut self::script(&[]), &plan(2), &mut Journal::in_memory()).unwrap_err();
    assert!(matches!(error, Error::NothingKept { .. }), "{error}");
}

#[test]
fn a_budget_ends_it() {
    let answers: Vec<String> =
        (0..50).map(|i| format!("word{i} alpha{i}\nother{i} beta{i}\nthird{i} gamma{i}")).collect();
    let mut script = script(&answers.iter().map(|answer| Some(answer.as_str())).collect::<Vec<_>>());
    let plan = Plan { max_tokens: Some(30), ..plan(100) };
    let asked = run(&mut script, &plan, &mut Journal::in_memory()).unwrap();
    assert_eq!((script.n_asked, asked.rows.num_rows()), (4, 12));
    assert!(asked.warnings[0].contains("the token budget is spent"), "{:?}", asked.warnings);
}

#[test]
fn a_refused_key_ends_it_at_once() {
    struct Refusing(Script);
    impl LanguageModel for Refusing {
        fn generate(
            &mut self,
            _: &[GenerateRequest],
            _: &mut dyn FnMut(usize, usize),
            _: &AtomicBool,
        ) -> std::result::Result<Outcomes<Completion>, luthier_lm::Error> {
            self.0.n_asked += 1;
            let (server, model) = ("s".to_owned(), "m".to_owned());
            Err(luthier_lm::Error::Refused { server, model, status: 401, message: "no".into() })
        }
        fn loglikelihood(
            &mut self,
            _: &[LoglikelihoodRequest],
            _: &mut dyn FnMut(usize, usize),
            _: &AtomicBool,
        ) -> std::result::Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
            unreachable!()
        }
        fn loglikelihood_rolling(
            &mut self,
            _: &[String],
            _: &mut dyn FnMut(usize, usize),
            _: &AtomicBool,
        ) -> std::result::Result<Outcomes<Loglikelihood>, luthier_lm::Error> {
            unreachable!()
        }
    }
    let mut model = Refusing(script(&[]));
    let never = AtomicBool::new(false);
    let journal = &mut Journal::in_memory();
    let error = synthesize_asking(&mut words(), &mut model, &plan(5), journal, &mut |_, _| {}, &never).unwrap_err();
    assert!(matches!(error, Error::Model(luthier_lm::Error::Refused { .. })));
    assert_eq!(model.0.n_asked, 1);
}

#[test]
fn the_prompts_can_be_looked_at_before_anything_is_sent() {
    let prompts = preview(&mut words(), &plan(5)).unwrap();
    let texts: Vec<&str> = prompts.iter().map(|turns| turns[0].content.as_str()).collect();
    assert_eq!(texts, ["3 words on \"fruit\", not ", "2 words on \"birds\", not "]);
}

fn answer_of(kinds: &[u8], number: usize) -> Option<String> {
    match kinds[number % kinds.len()] % 5 {
        0 => None,
        1 => Some(String::new()),
        2 => Some(format!("w{number}a\n!x\nw{number}x")),
        3 => Some(format!("w{number}a\nw{number}b\nw{number}c\nw{number}d")),
        _ => Some(format!("w{}a\nw{number}e", number / 2)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Killed anywhere and run again: the same rows, the same counts, nothing that was answered is asked twice.
    #[test]
    fn a_killed_run_goes_on_where_it_was(kinds in prop::collection::vec(2u8..5, 1..8), dies_after in 0usize..12) {
        let answers: Vec<Option<String>> = (0..60).map(|number| answer_of(&kinds, number)).collect();
        let fresh = || Script { answers: answers.clone(), n_asked: 0, seeds: Vec::new(), dies_after: usize::MAX };
        let whole = run(&mut fresh(), &plan(9), &mut Journal::in_memory());

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let mut dying = Script { dies_after, ..fresh() };
        let first = run(&mut dying, &plan(9), &mut Journal::open(&path, "r").unwrap());
        let mut again = fresh();
        let mut journal = Journal::open(&path, "r").unwrap();
        let n_resumed = journal.n_resumed();
        let second = run(&mut again, &plan(9), &mut journal);
        match (whole, second) {
            (Ok(whole), Ok(second)) => {
                prop_assert_eq!(&second, &whole);
                prop_assert!(balanced(&whole.accounting));
                prop_assert_eq!(again.n_asked as u64 + n_resumed as u64, whole.usage.requests);
            }
            (Err(whole), Err(second)) => prop_assert_eq!(whole.to_string(), second.to_string()),
            (whole, second) => prop_assert!(false, "{whole:?} {second:?} {first:?}"),
        }
    }

    #[test]
    fn whatever_a_model_answers_the_accounts_balance(kinds in prop::collection::vec(0u8..5, 1..10), wanted in 1u32..30) {
        let answers: Vec<Option<String>> = (0..200).map(|number| answer_of(&kinds, number)).collect();
        let mut script = Script { answers, n_asked: 0, seeds: Vec::new(), dies_after: usize::MAX };
        if let Ok(asked) = run(&mut script, &plan(wanted), &mut Journal::in_memory()) {
            prop_assert!(balanced(&asked.accounting), "{:?}", asked.accounting);
            prop_assert_eq!(asked.accounting.kept, asked.rows.num_rows() as u64);
            prop_assert!(asked.rows.num_rows() <= wanted as usize);
        }
    }
}
