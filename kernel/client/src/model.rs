//! Models and adapters: load them, train beside them, ask them, score them.

use luthier_protocol::response::{Asked, ModelInfo};
use luthier_protocol::spec::{ArmSpec, ArmTable, AskSpec, GenerationSpec};
use luthier_protocol::{Request, Response};

use crate::dataset::{Dataset, unexpected};
use crate::error::Result;
use crate::evaluation::{self, Prediction, Scores};
use crate::run::{Lora, Run, Train};
use crate::session;

/// A loaded model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    info: ModelInfo,
}

/// Load a model: a built-in name (`pico`) or a directory with `config.json`,
/// `model.safetensors` and `tokenizer.json`.
pub fn load(model: &str) -> Result<Model> {
    match session::request(Request::Load { model: model.into(), name: None, accept_base: false })? {
        Response::Loaded(info) => Ok(Model { info }),
        other => Err(unexpected("a loaded model", &other)),
    }
}

impl Model {
    /// What it is called here.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Architecture, sizes, fingerprint.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Train an adapter on the dataset's `train` split (or the split it is limited to). Returns
    /// once the run has started; it goes on while you look at [`Run::steps`].
    pub fn finetune(&self, data: &Dataset, lora: Lora, train: Train) -> Result<Run> {
        Run::start(train.into_spec(&self.info.name, data, lora))
    }
}

/// A trained adapter, or one still being trained: whatever needs it waits for its run.
#[derive(Clone)]
pub struct Adapter {
    source: AdapterSource,
}

#[derive(Clone)]
enum AdapterSource {
    Named(String),
    Run(Run),
}

/// An adapter of this project by its name.
pub fn adapter(name: &str) -> Adapter {
    Adapter { source: AdapterSource::Named(name.into()) }
}

impl Adapter {
    pub(crate) fn of_run(run: Run) -> Self {
        Adapter { source: AdapterSource::Run(run) }
    }

    /// Its name in the project, once its training is done.
    pub fn name(&self) -> Result<String> {
        match &self.source {
            AdapterSource::Named(name) => Ok(name.clone()),
            AdapterSource::Run(run) => Ok(run.wait()?.name),
        }
    }
}

/// Whatever can answer a prompt.
pub trait Generate {
    /// The name that the engine knows it by.
    fn engine_name(&self) -> Result<String>;

    /// Continue a text as it stands, greedily; [`Ask`] says more.
    fn ask(&self, question: impl Into<Ask>) -> Result<Answer> {
        ask(&self.engine_name()?, question)
    }

    /// Let it answer every row of a split and score the answers with metric plugins; no metric
    /// means the task template's own.
    fn evaluate<'a>(&self, data: &Dataset, metrics: impl IntoIterator<Item = &'a str>) -> Result<Scores> {
        let metrics = metrics.into_iter().map(str::to_owned).collect();
        evaluation::evaluate(vec![self.arm(0)?], data, metrics)
    }

    /// As [`Generate::evaluate`], with this many rows of the training split shown in the prompt.
    fn evaluate_fewshot<'a>(
        &self,
        data: &Dataset,
        num_fewshot: usize,
        metrics: impl IntoIterator<Item = &'a str>,
    ) -> Result<Scores> {
        let metrics = metrics.into_iter().map(str::to_owned).collect();
        evaluation::evaluate(vec![self.arm(num_fewshot)?], data, metrics)
    }

    /// Score with a closure of your own. It runs here, row by row, in this process: *local,
    /// unsandboxed*, and the score's signature says so. `None` is a row without a score, never a
    /// score of zero.
    fn evaluate_with<S: Into<Option<f64>>>(
        &self,
        data: &Dataset,
        metric: &str,
        score: impl FnMut(&Prediction) -> S,
    ) -> Result<Scores> {
        evaluation::evaluate_with(vec![self.arm(0)?], data, metric, score)
    }

    /// This one as an arm of a comparison.
    fn arm(&self, num_fewshot: usize) -> Result<ArmSpec> {
        let model = self.engine_name()?;
        Ok(match num_fewshot {
            0 => ArmSpec::Name(model),
            n => ArmSpec::Full(ArmTable { model, num_fewshot: n, name: None, base_url: None }),
        })
    }
}

impl Generate for Model {
    fn engine_name(&self) -> Result<String> {
        Ok(self.info.name.clone())
    }
}

impl Generate for Adapter {
    fn engine_name(&self) -> Result<String> {
        self.name()
    }
}

impl Generate for str {
    fn engine_name(&self) -> Result<String> {
        Ok(self.to_owned())
    }
}

/// A prompt and how to answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    spec: AskSpec,
}

impl Ask {
    /// A text to go on with.
    pub fn new(prompt: impl Into<String>) -> Self {
        Ask { spec: AskSpec { prompt: prompt.into(), ..AskSpec::default() } }
    }

    /// Render it as a user's turn with the model's chat template.
    #[must_use]
    pub fn chat(mut self) -> Self {
        self.spec.chat = true;
        self
    }

    /// Render it as this dataset's task template would; the prompt is the question.
    #[must_use]
    pub fn like(mut self, data: &Dataset) -> Self {
        self.spec.data = Some(data.name().into());
        self
    }

    /// With [`Ask::like`]: show this many training rows first.
    #[must_use]
    pub fn num_fewshot(mut self, n: usize) -> Self {
        self.spec.num_fewshot = n;
        self
    }

    /// How text is generated.
    #[must_use]
    pub fn generation(mut self, generation: GenerationSpec) -> Self {
        self.spec.generation = generation;
        self
    }

    /// At most this many new tokens.
    #[must_use]
    pub fn max_new_tokens(mut self, n: usize) -> Self {
        self.spec.generation.max_new_tokens = n;
        self
    }

    /// 0 is greedy.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.spec.generation.temperature = temperature;
        self
    }
}

impl<T: Into<String>> From<T> for Ask {
    fn from(prompt: T) -> Self {
        Ask::new(prompt)
    }
}

/// What a model said.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer(pub Asked);

impl Answer {
    /// What the task template took out of the completion, else all of it.
    pub fn text(&self) -> &str {
        self.0.answer.as_deref().unwrap_or(&self.0.completion)
    }
}

/// Ask a model or adapter by its name.
pub fn ask(model: &str, question: impl Into<Ask>) -> Result<Answer> {
    let spec = AskSpec { model: model.into(), ..question.into().spec };
    match session::request(Request::Ask(spec))? {
        Response::Asked(asked) => Ok(Answer(asked)),
        other => Err(unexpected("an answer", &other)),
    }
}
