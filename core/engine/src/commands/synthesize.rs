//! `%%synthesize NAME`: a dataset whose rows a template asks a language model for.

use luthier_data::{Dataset, DatasetOptions, TemplateUse};
use luthier_protocol::response::Synthesized;
use luthier_protocol::spec::{DatasetSpec, GenerationSpec, SynthesizeSpec};
use luthier_protocol::{Event, Response};
use luthier_synth::{Asked, Journal, Plan, chunk};

use crate::Error;
use crate::answering::Answering;
use crate::datasets;
use crate::error::AtExt;
use crate::generation::check_generation;
use crate::plugins::TemplateRequest;
use crate::project::check_name;
use crate::service::Context;

/// Rows if the spec does not say how many.
const DEFAULT_ROWS: u32 = 100;
/// Most rows that one request may ask for.
const MAX_PER_REQUEST: u32 = 100;
/// A document is not read beyond this.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

pub(crate) fn synthesize(context: Context<'_>, spec: &SynthesizeSpec) -> Result<Response, Error> {
    let stopwatch = context.engine.clock().stopwatch();
    let name = spec.name.clone().ok_or_else(|| Error::invalid("the dataset's name", "missing", "a name"))?;
    check_name("dataset", &name).at("/name")?;
    check(spec)?;
    let Some(model) = &spec.model else {
        let info = datasets::make(context, &own_rows(spec))?.info;
        return Ok(Response::Synthesized(Synthesized { dataset: Some(info), ..nothing("", stopwatch.seconds()) }));
    };
    let (descriptor, digest) = context.engine.plugins.template(context.project, &spec.template).at("/template")?;
    let plan = plan(context, spec)?;
    let recipe = recipe(spec, &plan, &digest);
    if let (Some(info), false) = (datasets::made_from(context, &name, &recipe)?, spec.preview) {
        // A notebook that is run again does not ask, or pay, again.
        return Ok(Response::Synthesized(Synthesized { dataset: Some(info), ..nothing(model, stopwatch.seconds()) }));
    }
    if !spec.overwrite && !spec.preview && context.project.store()?.dataset(&name)?.is_some() {
        return Err(Error::Exists { what: "dataset", name }.at("/name"));
    }
    let databases = datasets::collect_databases(context.project, &descriptor.databases, &spec.databases)?;
    let grants = datasets::granted(context.project, &databases);
    let config = serde_json::to_value(&spec.config).unwrap_or_default();
    let request = TemplateRequest { id: &spec.template, config: &config, seed: spec.seed };
    let cancel = context.call.cancel_token();
    let mut template =
        context.engine.plugins.open_template(context.project, &request, &grants, cancel).at("/config")?;
    if spec.preview {
        let prompts = luthier_synth::preview(&mut template, &plan)?;
        let turns = |turns: Vec<luthier_lm::Message>| turns.into_iter().map(|turn| (turn.role, turn.content)).collect();
        let preview = prompts.into_iter().map(turns).collect();
        return Ok(Response::Synthesized(Synthesized { preview, ..nothing(model, stopwatch.seconds()) }));
    }
    let mut answering = Answering::open(context, model, spec.base_url.as_deref(), &spec.provider).at("/model")?;
    let path = context.project.subdir("cache")?.join(format!("{name}.journal.jsonl"));
    let mut journal = Journal::open(&path, &recipe)?;
    let resumed_requests = journal.n_resumed() as u64;
    let stage = format!("ask {model}");
    let mut progress = |done: u64, total: u64| {
        context.call.event(Event::Progress { stage: stage.clone(), done, total: Some(total) });
    };
    let mut asked_model = answering.model();
    let asked = luthier_synth::synthesize_asking(
        &mut template,
        asked_model.as_mut(),
        &plan,
        &mut journal,
        &mut progress,
        context.cancel(),
    );
    let asked = asked.map_err(|error| match error {
        luthier_synth::Error::Interrupted => Error::Interrupted {
            saved: "; every answer so far is kept".to_owned(),
            advice: Some("run it again: it goes on where it was, without asking again".to_owned()),
        },
        error => error.into(),
    })?;
    drop(asked_model);
    let used = TemplateUse { id: spec.template.clone(), config, digest };
    let source = format!("template {}, asked of {model}, seed {}", spec.template, spec.seed);
    let options = DatasetOptions {
        roles: datasets::template_roles(&DatasetSpec::default(), &descriptor),
        splits: spec.splits.clone(),
        template: Some(used),
        databases,
        source,
        accounting: Some(asked.accounting.clone()),
    };
    let mut dataset = Dataset::from_batch(&name, asked.rows.clone(), options)?;
    dataset.warnings.extend(asked.warnings.clone());
    let info = datasets::keep(context, &dataset, &recipe, &own_rows(spec))?;
    journal.remove();
    let response = Synthesized { dataset: Some(info), resumed_requests, ..nothing(model, stopwatch.seconds()) };
    Ok(Response::Synthesized(with_usage(response, &asked, spec)))
}

fn check(spec: &SynthesizeSpec) -> Result<(), Error> {
    if spec.template.is_empty() {
        return Err(Error::invalid("template", "missing", "a template plugin's name")).at("/template");
    }
    check_generation(&spec.generation, "/generation")?;
    if spec.rows == Some(0) {
        return Err(Error::invalid("rows", 0, "at least 1")).at("/rows");
    }
    if spec.per_request == 0 || spec.per_request > MAX_PER_REQUEST {
        let expected = format!("from 1 to {MAX_PER_REQUEST}");
        return Err(Error::invalid("per_request", spec.per_request, &expected)).at("/per_request");
    }
    if !(0.0..=1.0).contains(&spec.near_duplicates) {
        return Err(Error::invalid("near_duplicates", spec.near_duplicates, "from 0 to 1")).at("/near_duplicates");
    }
    if spec.model.is_none() && (spec.preview || !spec.topics.is_empty() || !spec.documents.is_empty()) {
        return Err(Error::invalid("model", "missing", "a model to ask, with topics, documents or preview"))
            .at("/model");
    }
    Ok(())
}

/// Without a model the template makes rows itself, as `dataset` does.
fn own_rows(spec: &SynthesizeSpec) -> DatasetSpec {
    DatasetSpec {
        name: spec.name.clone(),
        template: Some(spec.template.clone()),
        config: spec.config.clone(),
        rows: spec.rows,
        seed: spec.seed,
        databases: spec.databases.clone(),
        splits: spec.splits.clone(),
        overwrite: spec.overwrite,
        ..DatasetSpec::default()
    }
}

fn plan(context: Context<'_>, spec: &SynthesizeSpec) -> Result<Plan, Error> {
    let mut documents = Vec::new();
    for name in &spec.documents {
        let path = context.project.resolve(name);
        let text = crate::files::read_text(&path, MAX_DOCUMENT_BYTES).at("/documents")?;
        documents.extend(chunk::passages(&text, chunk::PASSAGE, chunk::OVERLAP));
    }
    if documents.is_empty() && !spec.documents.is_empty() {
        return Err(Error::invalid("documents", "no text", "files with text")).at("/documents");
    }
    Ok(Plan {
        wanted: spec.rows.unwrap_or(DEFAULT_ROWS),
        topics: spec.topics.clone(),
        documents,
        per_request: spec.per_request,
        concurrency: spec.provider.concurrency.max(1),
        near_duplicates: spec.near_duplicates,
        max_tokens: spec.max_tokens,
        generation: GenerationSpec { seed: spec.seed, ..spec.generation.clone() },
    })
}

/// What the answers of a journal are answers to; how patiently a server is asked does not matter.
fn recipe(spec: &SynthesizeSpec, plan: &Plan, digest: &str) -> String {
    let spec = SynthesizeSpec { overwrite: false, provider: Default::default(), ..spec.clone() };
    let spec = serde_json::to_string(&spec).unwrap_or_default();
    let documents = plan.documents.join("\u{1f}");
    let concurrency = plan.concurrency.to_string();
    crate::hash::parts([spec.as_bytes(), documents.as_bytes(), concurrency.as_bytes(), digest.as_bytes()])
}

fn nothing(model: &str, seconds: f64) -> Synthesized {
    Synthesized {
        dataset: None,
        model: model.to_owned(),
        requests: 0,
        failed_requests: 0,
        resumed_requests: 0,
        prompt_tokens: 0,
        completion_tokens: 0,
        cost: None,
        topics: Vec::new(),
        preview: Vec::new(),
        seconds,
    }
}

fn with_usage(response: Synthesized, asked: &Asked, spec: &SynthesizeSpec) -> Synthesized {
    let usage = asked.usage;
    let price = |tokens: u64, price: f64| tokens as f64 * price / 1e6;
    let prices = spec.provider.input_price.zip(spec.provider.output_price);
    Synthesized {
        requests: usage.requests,
        failed_requests: usage.failed_requests,
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
        // A server that does not count tokens costs something unknown, not nothing.
        cost: prices
            .filter(|_| usage.prompt_tokens + usage.completion_tokens > 0)
            .map(|(input, output)| price(usage.prompt_tokens, input) + price(usage.completion_tokens, output)),
        topics: asked.yields.iter().map(|of| (of.topic.clone(), of.requested, of.kept)).collect(),
        ..response
    }
}
