//! Models in memory, shared by all projects and clients; they survive a kernel's restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use luthier_data::Prompter;
use luthier_model::Model;

use super::ModelDir;
use super::attached::AttachedAdapters;
use crate::Error;

/// A model with everything that turns text into its input.
#[derive(Debug)]
pub struct LoadedModel {
    /// See [`ModelDir`].
    pub place: ModelDir,
    /// Weights.
    pub model: Model,
    /// Tokenizer and chat template.
    pub prompter: Prompter,
    /// Hash of the weights.
    pub fingerprint: String,
    stamp: Stamp,
    /// The same in four bits, for adapters that were trained so; made when it is asked for.
    nf4: [OnceLock<Arc<LoadedModel>>; 2],
}

impl LoadedModel {
    /// This model with the weights of its blocks in NF4, the scales in eight bits too if `double`.
    pub(crate) fn in_nf4(&self, double: bool) -> Result<Arc<LoadedModel>, Error> {
        let [plain, doubled] = &self.nf4;
        let slot = if double { doubled } else { plain };
        if let Some(model) = slot.get() {
            return Ok(Arc::clone(model));
        }
        let model = self.model.quantize_nf4(double)?;
        let quantized = LoadedModel {
            place: self.place.clone(),
            fingerprint: model.fingerprint(),
            model,
            prompter: self.prompter.clone(),
            stamp: self.stamp.clone(),
            nf4: Default::default(),
        };
        Ok(Arc::clone(slot.get_or_init(|| Arc::new(quantized))))
    }

    /// Bytes of all its weights.
    fn n_bytes(&self) -> u64 {
        let quantized = self.nf4.iter().filter_map(OnceLock::get);
        self.model.n_bytes() + quantized.map(|model| model.model.n_bytes()).sum::<u64>()
    }
}

/// Size and time of every file that a model is made of: a changed directory is loaded again.
type Stamp = Vec<(PathBuf, u64, std::time::SystemTime)>;

/// All models in memory, the latest used last.
#[derive(Debug)]
pub struct LoadedModels {
    models: Mutex<Vec<Arc<LoadedModel>>>,
    /// Weights beyond this are given up, the longest unused first.
    limit_bytes: u64,
    attached: AttachedAdapters,
}

impl LoadedModels {
    /// Keep weights of up to `limit_bytes`; the model in use is kept whatever its size.
    pub fn new(limit_bytes: u64) -> LoadedModels {
        LoadedModels { models: Mutex::default(), limit_bytes, attached: AttachedAdapters::default() }
    }

    /// Adapters that are kept in memory.
    pub(crate) fn attached(&self) -> &AttachedAdapters {
        &self.attached
    }

    /// The model of a directory, loaded unless it is in memory and unchanged.
    pub fn get(&self, place: &ModelDir) -> Result<Arc<LoadedModel>, Error> {
        let stamp = stamp(&place.dir)?;
        if let Some(model) = self.take(&place.dir, &stamp) {
            self.lock().push(Arc::clone(&model));
            return Ok(model);
        }
        // The tokenizer first: it is small, and its absence is the commoner fault.
        let prompter = Prompter::from_dir(&place.dir)?;
        let model = Model::load(&place.dir)?;
        let fingerprint = model.fingerprint();
        let model = Arc::new(LoadedModel {
            place: place.clone(),
            model,
            prompter,
            fingerprint,
            stamp,
            nf4: Default::default(),
        });
        let mut models = self.lock();
        models.push(Arc::clone(&model));
        self.trim(&mut models);
        Ok(model)
    }

    /// The model of a directory, if it is in memory.
    pub fn peek(&self, dir: &Path) -> Option<Arc<LoadedModel>> {
        self.lock().iter().find(|model| model.place.dir == dir).cloned()
    }

    /// All, the latest used last.
    pub fn list(&self) -> Vec<Arc<LoadedModel>> {
        self.lock().clone()
    }

    /// Remove and return the model of `dir` if it is as stamped; forget one that is not.
    fn take(&self, dir: &Path, stamp: &Stamp) -> Option<Arc<LoadedModel>> {
        let mut models = self.lock();
        let position = models.iter().position(|model| model.place.dir == dir)?;
        let model = models.remove(position);
        (model.stamp == *stamp).then_some(model)
    }

    fn trim(&self, models: &mut Vec<Arc<LoadedModel>>) {
        let size = |models: &[Arc<LoadedModel>]| -> u64 { models.iter().map(|model| model.n_bytes()).sum() };
        while models.len() > 1 && size(models) > self.limit_bytes {
            models.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<LoadedModel>>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(dir: &Path) -> Result<Stamp, Error> {
    let fail = |source| Error::io("read", dir, source);
    let mut stamp = Stamp::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let matters = path
            .extension()
            .is_some_and(|extension| ["json", "safetensors", "jinja", "gguf"].iter().any(|known| extension == *known));
        if let (true, Ok(metadata)) = (matters, std::fs::metadata(&path)) {
            stamp.push((path, metadata.len(), metadata.modified().map_err(fail)?));
        }
    }
    stamp.sort();
    Ok(stamp)
}
