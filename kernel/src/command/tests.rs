use luthier_protocol::{
    Request,
    spec::{AskSpec, DatasetSpec, EvaluateSpec, FinetuneSpec, ReviewSpec, RowCells, ShowSpec, SynthesizeSpec},
};
use serde_json::{Value, json};

use super::{Action, Command, Kind, all, find};
use crate::cell::{self, Cell, body};

fn lower(code: &str) -> Request {
    let Ok(Cell::Commands(commands)) = cell::parse(code) else { panic!("{code} does not parse") };
    match (commands[0].command.lower)(&commands[0].values) {
        Ok(Action::Ask(request)) => *request,
        other => panic!("{code} became {other:?}"),
    }
}

fn problem(code: &str) -> String {
    let Ok(Cell::Commands(commands)) = cell::parse(code) else { panic!("{code} does not parse") };
    match (commands[0].command.lower)(&commands[0].values) {
        Err(problem) => problem.message,
        other => panic!("{code} became {other:?}"),
    }
}

/// A value that fits a kind.
fn sample(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::OptionalText(_) => json!("x"),
        Kind::Count => json!(1),
        Kind::Number => json!(0.5),
        Kind::Switch => json!(true),
        Kind::Choice(words) => json!(words[0]),
        Kind::List => json!(["x"]),
        Kind::Counts => json!([0, 2]),
        Kind::Rows => json!([3, "5-7"]),
        Kind::CellTable => json!({"7": {"completion": "x"}}),
        Kind::Pair => json!([0.9, 0.99]),
        Kind::Table => json!({"a": 1}),
        Kind::TextTable => json!({"a": "x"}),
        Kind::NumberTable => json!({"train": 1.0}),
        Kind::CountTable => json!({"q_proj": 4}),
        Kind::Arm => json!({"model": "pico", "num_fewshot": 4}),
        Kind::Arms => json!(["pico", {"model": "pico", "name": "again"}]),
        Kind::Metrics => json!(["f1", {"metric": "f1", "config": {"a": 1}, "columns": {"reference": "gold"}}]),
    }
}

/// Every key of a command is a field of its spec, and takes what its kind says.
fn check_keys<T: serde::de::DeserializeOwned>(command: &Command, required: Value, skip: &[&str]) {
    for key in command.keys.iter().filter(|key| !skip.contains(&key.name)) {
        let mut values = required.as_object().unwrap().clone();
        body::insert(&mut values, key.name, sample(key.kind));
        let parsed: Result<T, _> = serde_json::from_value(Value::Object(values));
        assert!(parsed.is_ok(), "{}.{}: {}", command.name, key.name, parsed.err().unwrap());
    }
}

/// Every field of a spec is a key of the command (or its name).
fn check_fields(command: &Command, spec: &impl serde::Serialize) {
    fn walk(command: &Command, prefix: &str, value: &Value) {
        for (name, value) in value.as_object().unwrap() {
            let name = format!("{prefix}{name}");
            let known = command.keys.iter().any(|key| key.name == name) || name == "name" || name == "model";
            let table = command.keys.iter().any(|key| key.name.starts_with(&format!("{name}.")));
            assert!(known || table, "{} has no key {name}", command.name);
            if table {
                walk(command, &format!("{name}."), value);
            }
        }
    }
    walk(command, "", &serde_json::to_value(spec).unwrap());
}

#[test]
fn keys_and_specs_agree() {
    let trained = json!({"model": "pico", "data": "shop"});
    check_keys::<DatasetSpec>(&super::dataset::COMMAND, json!({}), &[]);
    check_keys::<FinetuneSpec>(&super::finetune::COMMAND, trained.clone(), &[]);
    check_keys::<AskSpec>(&super::ask::COMMAND, json!({}), &[]);
    check_keys::<EvaluateSpec>(&super::evaluate::COMMAND, json!({"data": "shop"}), &["metric"]);
    check_fields(&super::dataset::COMMAND, &DatasetSpec::default());
    check_fields(&super::finetune::COMMAND, &serde_json::from_value::<FinetuneSpec>(trained).unwrap());
    check_fields(&super::ask::COMMAND, &AskSpec::default());
    let evaluation: EvaluateSpec = serde_json::from_value(json!({"data": "shop"})).unwrap();
    check_fields(&super::evaluate::COMMAND, &evaluation);
    check_keys::<SynthesizeSpec>(&super::synthesize::COMMAND, json!({"template": "custom"}), &[]);
    check_fields(&super::synthesize::COMMAND, &SynthesizeSpec::default());
}

#[test]
fn documented_defaults_are_the_specs_defaults() {
    let finetune: FinetuneSpec = serde_json::from_value(json!({"model": "m", "data": "d"})).unwrap();
    let evaluate: EvaluateSpec = serde_json::from_value(json!({"data": "d"})).unwrap();
    let specs = [
        (&super::dataset::COMMAND, serde_json::to_value(DatasetSpec::default()).unwrap()),
        (&super::finetune::COMMAND, serde_json::to_value(finetune).unwrap()),
        (&super::ask::COMMAND, serde_json::to_value(AskSpec::default()).unwrap()),
        (&super::evaluate::COMMAND, serde_json::to_value(evaluate).unwrap()),
        (&super::synthesize::COMMAND, serde_json::to_value(SynthesizeSpec::default()).unwrap()),
    ];
    for (command, spec) in specs {
        for key in command.keys.iter().filter(|key| !key.default.is_empty()) {
            let Some(actual) = body::get(spec.as_object().unwrap(), key.name) else { continue };
            let documented = key.kind.parse(key.default).unwrap_or_else(|| panic!("{}: {}", key.name, key.default));
            let same = match (actual.as_f64(), documented.as_f64()) {
                (Some(a), Some(b)) => a == b,
                _ => *actual == documented,
            };
            assert!(same, "{}.{}: documented {documented}, is {actual}", command.name, key.name);
        }
    }
}

#[test]
fn every_example_works() {
    for command in all() {
        let parsed =
            cell::parse(command.example).unwrap_or_else(|d| panic!("{}", d.lines(command.example, "cell").join("\n")));
        let Cell::Commands(commands) = parsed else { panic!("{}", command.name) };
        assert_eq!(commands[0].command.name, command.name);
        (commands[0].command.lower)(&commands[0].values).unwrap_or_else(|p| panic!("{}: {p:?}", command.name));
    }
}

#[test]
fn names_are_unique_and_found() {
    for command in all() {
        assert!(std::ptr::eq(find(command.name).unwrap(), *command));
    }
    assert!(find("nonsense").is_none());
}

#[test]
fn requests_say_what_the_cell_says() {
    assert_eq!(
        lower("%load pico as small"),
        Request::Load { model: "pico".into(), name: Some("small".into()), accept_base: false }
    );
    assert_eq!(lower("%show shop"), Request::Show(ShowSpec { data: "shop".into(), limit: 5, ..ShowSpec::default() }));
    assert_eq!(lower("%dataset"), Request::Datasets);
    let Request::Ask(ask) = lower("%%ask shop-sql\ndata = \"shop\"\nprompt = \"How many?\"\nstop = [\";\"]\n") else {
        panic!()
    };
    assert_eq!((ask.model.as_str(), ask.prompt.as_str(), ask.data.as_deref()), ("shop-sql", "How many?", Some("shop")));
    assert_eq!(ask.generation.stop, [";"]);
    let Request::Evaluate(evaluation) =
        lower("%%evaluate e\ndata = \"d\"\nmodel = \"pico\"\nmetric = \"exact-match\"\n")
    else {
        panic!()
    };
    assert_eq!((evaluation.name.as_deref(), evaluation.metrics.as_slice()), (Some("e"), &["exact-match".into()][..]));
}

#[test]
fn runs_are_listed_shown_and_compared() {
    assert_eq!(lower("%runs"), Request::Runs);
    assert_eq!(lower("%runs show a-1"), Request::RunRecord { run: "a-1".into() });
    let diff = Request::RunDiff { run: "a-1".into(), against: "b-1".into() };
    assert_eq!(lower("%runs diff a-1 b-1"), diff);
    assert_eq!(problem("%runs diff a-1"), "`runs diff` needs two runs");
    assert_eq!(problem("%runs shwo a-1"), "`runs` has no `shwo`: it is `show RUN` or `diff A B`");
}

#[test]
fn a_check_takes_a_recipe_or_its_keys() {
    let file = Request::CheckTraining { spec: None, recipe: Some("a.toml".into()) };
    assert_eq!(lower("%check training a.toml"), file);
    let Request::CheckTraining { spec: Some(spec), recipe: None } =
        lower("%%check training\nmodel = \"pico\"\ndata = \"shop\"\n[train]\npacking = true\n")
    else {
        panic!()
    };
    assert!(spec.train.packing && spec.model == "pico");
    assert_eq!(problem("%check trainig a.toml"), "`check` knows `training`, not `trainig`");
    assert!(cell::parse("%check training").is_err(), "neither a recipe nor keys");
}

#[test]
fn reviews_say_which_rows() {
    let review = |code: &str| match lower(code) {
        Request::Review(spec) => spec,
        other => panic!("{other:?}"),
    };
    let cells = |row: u64, column: &str, text: &str| {
        vec![RowCells { row, cells: std::collections::BTreeMap::from([(column.into(), text.into())]) }]
    };
    assert_eq!(review("%review shop"), ReviewSpec { data: "shop".into(), limit: 5, ..ReviewSpec::default() });
    let spec = review("%review shop --accept 3,5-7 --accept 9 --reject 4 --by Ada");
    assert_eq!((spec.accept, spec.reject, spec.by.as_deref()), (vec![3, 5, 6, 7, 9], vec![4], Some("Ada")));
    let spec = review("%review shop --correct 7 completion='SELECT a = 1 WHERE b = 2'");
    assert_eq!(spec.correct, cells(7, "completion", "SELECT a = 1 WHERE b = 2"));
    assert_eq!(review("%review shop --label 9 good").label, cells(9, "label", "good"));
    assert_eq!(review("%review shop --label 9 quality=good").label, cells(9, "quality", "good"));
    let spec =
        review("%%review shop\naccept = [1, \"3-4\"]\n[correct.7]\ncompletion = \"x\"\n[label.2]\nlabel = \"bad\"\n");
    assert_eq!(
        (spec.accept, spec.correct, spec.label),
        (vec![1, 3, 4], cells(7, "completion", "x"), cells(2, "label", "bad"))
    );
    assert!(problem("%review shop completion=x").contains("--correct"));
    assert!(problem("%review shop --correct 7").contains("COLUMN=VALUE"));
    assert!(problem("%review shop --accept 9-3").contains("9-3"));
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    assert_eq!(problem("%%evaluate e\ndata = \"d\"\n"), "`evaluate` needs `model` or `models`");
    assert_eq!(
        problem("%%evaluate e\ndata = \"d\"\nmodel = \"a\"\nmodels = [\"b\"]\n"),
        "give `model` or `models`, not both"
    );
    assert_eq!(problem("%%dataset shop\nseed = 1\n"), "a dataset needs a `path` or a `template`");
    assert_eq!(problem("%ask pico"), "`ask` needs a prompt");
}

#[test]
fn plugin_commands_say_what_they_do() {
    use luthier_protocol::plugin::PluginRequest;
    let plugin = |code: &str| match lower(code) {
        Request::Plugin(request) => request,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        plugin("%plugin new my-metric --lang c"),
        PluginRequest::New { name: "my-metric".into(), kind: "metric".into(), lang: "c".into() }
    );
    assert_eq!(plugin("%plugin install a.wasm"), PluginRequest::Install { source: "a.wasm".into() });
    let PluginRequest::Test { data, adversarial, .. } = plugin("%plugin test m --data rows.jsonl --adversarial") else {
        panic!()
    };
    assert_eq!((data.as_deref(), adversarial), (Some("rows.jsonl"), true));
    assert_eq!(
        plugin("%%plugin same-length\nfn score() {}\n// not = TOML\n"),
        PluginRequest::Cell { name: Some("same-length".into()), source: "fn score() {}\n// not = TOML\n".into() }
    );
    assert_eq!(problem("%plugin build"), "`plugin build` needs a name, a folder, a file or an address");
    assert_eq!(
        problem("%plugin instal x"),
        "`plugin` knows new, build, test, inspect, install, remove, found `instal`"
    );
}
