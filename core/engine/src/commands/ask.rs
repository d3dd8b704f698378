//! `ask MODEL`: one prompt, continued, chatted, or asked through a dataset's task.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use luthier_data::{Answer, Dataset, Message};
use luthier_lm::{Completion, FinishReason, GenerateRequest, LanguageModel};
use luthier_protocol::response::Asked;
use luthier_protocol::spec::AskSpec;
use luthier_protocol::{Event, Response};

use crate::Error;
use crate::answering::Answering;
use crate::datasets;
use crate::error::AtExt;
use crate::generation::{LocalModel, PromptForm, check_generation};
use crate::models::Opened;
use crate::service::Context;
use crate::task::{self, Task};

pub(crate) fn ask(context: Context<'_>, spec: &AskSpec) -> Result<Response, Error> {
    check_generation(&spec.generation, "")?;
    if spec.chat && spec.data.is_some() {
        return Err(Error::invalid("chat", true, "false with `data`, which renders the prompt itself")).at("/chat");
    }
    if spec.num_fewshot > 0 && spec.data.is_none() {
        let expected = "0 without `data`, whose training rows are the examples";
        return Err(Error::invalid("num_fewshot", spec.num_fewshot, expected)).at("/num_fewshot");
    }
    let opened = match Answering::open(context, &spec.model, spec.base_url.as_deref(), &spec.provider).at("/model")? {
        Answering::Local(opened) => *opened,
        remote @ Answering::Remote(..) => return ask_remote(context, spec, remote),
    };
    let stopwatch = context.engine.clock().stopwatch();
    let (rendered, form, mut task) = render(context, spec, &opened)?;
    let mut sink = |text: &str| context.call.event(Event::Text { text: text.to_owned() });
    let mut model = LocalModel::new(&opened, form).with_seed_as_given().streaming(&mut sink);
    let request = GenerateRequest { prompt: rendered.clone().into(), generation: spec.generation.clone() };
    let completion = generate_one(&mut model, request, context)?;
    let answer = match &mut task {
        Some(task) => task.extract(std::slice::from_ref(&completion.text))?.pop().and_then(found),
        None => None,
    };
    Ok(asked(spec, rendered, completion, answer, stopwatch.seconds()))
}

/// A server renders the prompt, so what it is sent is shown in its place.
fn ask_remote(context: Context<'_>, spec: &AskSpec, mut remote: Answering) -> Result<Response, Error> {
    let stopwatch = context.engine.clock().stopwatch();
    let (turns, mut task) = match &spec.data {
        Some(data) => {
            let dataset = datasets::open(context, data).at("/data")?;
            let mut task = Task::open(context, &dataset).at("/data")?;
            let shots = task::shots(&dataset, spec.num_fewshot, spec.generation.seed)?;
            (conversation(&dataset, &mut task, &spec.prompt, &shots)?, Some(task))
        }
        None => (vec![Message::new("user", spec.prompt.clone())], None),
    };
    let prompt = remote.prompt(&turns)?;
    let request = GenerateRequest { prompt, generation: spec.generation.clone() };
    let mut outcomes = remote.model().generate(&[request], &mut |_, _| {}, context.cancel())?;
    let completion = outcomes.pop().unwrap_or(Err(luthier_lm::Error::Interrupted)).at("/model")?;
    context.call.event(Event::Text { text: completion.text.clone() });
    let answer = match &mut task {
        Some(task) => task.extract(std::slice::from_ref(&completion.text))?.pop().and_then(found),
        None => None,
    };
    let rendered = turns.iter().map(|turn| format!("{}: {}", turn.role, turn.content)).collect::<Vec<_>>().join("\n");
    Ok(asked(spec, rendered, completion, answer, stopwatch.seconds()))
}

fn asked(spec: &AskSpec, rendered: String, completion: Completion, answer: Option<String>, seconds: f64) -> Response {
    Response::Asked(Asked {
        model: spec.model.clone(),
        rendered,
        completion: completion.text,
        answer,
        n_prompt_tokens: completion.n_prompt_tokens,
        n_new_tokens: completion.n_new_tokens,
        finish_reason: match completion.finish_reason {
            FinishReason::Stop => "stop".to_owned(),
            FinishReason::Length => "length".to_owned(),
        },
        seconds,
    })
}

fn found(answer: Answer) -> Option<String> {
    match answer {
        Answer::Found(answer) => Some(answer),
        Answer::Missing(_) => None,
    }
}

fn generate_one(
    model: &mut LocalModel<'_>,
    request: GenerateRequest,
    context: Context<'_>,
) -> Result<Completion, Error> {
    let mut completions = model.generate(&[request], &mut |_, _| {}, context.cancel())?;
    completions.pop().unwrap_or(Err(luthier_lm::Error::Interrupted)).at("/prompt")
}

/// The text that the model is shown, and the task if there is one.
fn render(context: Context<'_>, spec: &AskSpec, opened: &Opened) -> Result<(String, PromptForm, Option<Task>), Error> {
    let prompter = &opened.base.prompter;
    if let Some(data) = &spec.data {
        let dataset = datasets::open(context, data).at("/data")?;
        let mut task = Task::open(context, &dataset).at("/data")?;
        task::check_renderer(opened, &task.fingerprint()).at("/data")?;
        let shots = task::shots(&dataset, spec.num_fewshot, spec.generation.seed)?;
        let messages = conversation(&dataset, &mut task, &spec.prompt, &shots)?;
        return Ok((prompter.render(&messages)?, PromptForm::Rendered, Some(task)));
    }
    if spec.chat {
        opened.check_template().at("/model")?;
        let messages = [Message::new("user", spec.prompt.clone())];
        return Ok((prompter.render(&messages)?, PromptForm::Rendered, None));
    }
    Ok((spec.prompt.clone(), PromptForm::Plain, None))
}

/// The question in a row like those of the dataset: what is not part of the question (the database
/// that it is about, the system's words) is taken from the first row.
fn conversation(
    dataset: &Dataset,
    task: &mut Task,
    question: &str,
    shots: &RecordBatch,
) -> Result<Vec<Message>, Error> {
    let first = dataset.batch.slice(0, 1);
    let row = with_question(dataset, task, &first, question)?;
    let mut conversation = task.render(&row, shots)?.pop().unwrap_or_default();
    if dataset.template.is_none() && dataset.roles.messages.is_some() {
        // A row of messages is one text; its last turn is the question.
        match conversation.last_mut() {
            Some(last) => last.content = question.to_owned(),
            None => conversation.push(Message::new("user", question)),
        }
    }
    Ok(conversation)
}

/// `first` with the question in the prompt's column and nothing in those of input and answer.
fn with_question(dataset: &Dataset, task: &Task, first: &RecordBatch, question: &str) -> Result<RecordBatch, Error> {
    let schema = first.schema();
    let is = |column: &Option<String>, name: &str| column.as_deref() == Some(name);
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for (field, column) in schema.fields().iter().zip(first.columns()) {
        let text = match field.name() {
            name if is(&task.prompt_column, name) => Some(question),
            name if is(&task.target_column, name) || is(&dataset.roles.input, name) => Some(""),
            _ => None,
        };
        columns.push(match text {
            Some(text) => Arc::new(StringArray::from(vec![text])),
            None => Arc::clone(column),
        });
    }
    RecordBatch::try_new(schema, columns).map_err(|error| Error::Data(luthier_data::Error::Arrow(error)))
}
