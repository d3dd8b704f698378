//! Named tensors in safetensors files: mapped for reading, f32 in memory.
#![allow(unsafe_code, reason = "maps weight files into memory")]

use super::{Mapped, read_json, write_atomic};
use crate::layout::Aliases;
use crate::quant::nf4;
use crate::weights::{NamedTensor, Storage, TensorSpec};
use crate::{Error, Result, SaveDtype};
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One or several mapped safetensors files that together hold a set of tensors.
pub(crate) struct TensorFiles {
    files: Vec<(PathBuf, Arc<Mmap>)>,
    /// What an error names when no single file is at fault.
    whole: PathBuf,
}

/// `model.safetensors.index.json`.
#[derive(serde::Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl TensorFiles {
    /// Maps one file.
    pub(crate) fn open_file(path: &Path) -> Result<Self> {
        Ok(TensorFiles { files: vec![(path.to_path_buf(), map(path)?)], whole: path.to_path_buf() })
    }

    /// Maps `model.safetensors` of `dir`, or the shards that `model.safetensors.index.json` names.
    pub(crate) fn open_model(dir: &Path) -> Result<Self> {
        let single = dir.join("model.safetensors");
        if single.exists() {
            return Self::open_file(&single);
        }
        let index_path = dir.join("model.safetensors.index.json");
        if !index_path.exists() {
            return Err(Error::NoWeights {
                path: dir.to_path_buf(),
                expected: "model.safetensors, model.safetensors.index.json".to_owned(),
            });
        }
        let index: ShardIndex = read_json(&index_path)?;
        let names: BTreeSet<&String> = index.weight_map.values().collect();
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            // A shard is a sibling; an index must not reach other directories.
            if Path::new(name).file_name().is_none_or(|file| file != name.as_str()) {
                return Err(Error::Json {
                    what: index_path.display().to_string(),
                    reason: format!("weight_map names `{name}`, expected a file name without a directory"),
                });
            }
            let path = dir.join(name);
            let mapped = map(&path)?;
            files.push((path, mapped));
        }
        Ok(TensorFiles { files, whole: dir.to_path_buf() })
    }

    /// Whether one of the files has a tensor called `name`. A file that cannot be read has none.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.files.iter().any(|(_, mapped)| SafeTensors::deserialize(mapped).is_ok_and(|it| it.tensor(name).is_ok()))
    }

    /// Reads exactly the tensors of `specs`, as f32, in their order. `aliases` knows other names of them
    /// and which further ones are redundant; any other one is an error.
    pub(crate) fn read(&self, specs: &[TensorSpec], aliases: &Aliases, owner: &str) -> Result<Vec<NamedTensor<f32>>> {
        let wanted: HashMap<&str, usize> = specs.iter().enumerate().map(|(i, spec)| (spec.name.as_str(), i)).collect();
        let mut found: Vec<Option<NamedTensor<f32>>> = vec![None; specs.len()];
        for (path, mapped) in &self.files {
            let tensors = SafeTensors::deserialize(mapped)
                .map_err(|e| Error::CorruptWeights { path: path.clone(), reason: e.to_string() })?;
            // In the order of names, so that of several faults always the same one is reported.
            let views: BTreeMap<&str, TensorView> = tensors.iter().collect();
            for (name, view) in views {
                let ours = |name: &str| aliases.resolve(name, |name| wanted.contains_key(name));
                let is_part = nf4::is_part(name).is_some_and(|whole| wanted.contains_key(ours(whole).as_str()));
                match wanted.get(ours(name).as_str()) {
                    None if is_part => {}
                    Some(&i) if is_quantized(&tensors, name) => {
                        let spec = &specs[i];
                        let matrix = nf4::read(path, name, &spec.shape, |part| tensors.tensor(part).ok())?;
                        let values = Storage::Nf4(Arc::new(matrix));
                        found[i] = Some(NamedTensor { name: spec.name.clone(), shape: spec.shape.clone(), values });
                    }
                    Some(&i) => found[i] = Some(convert(path, mapped, &specs[i], &view)?),
                    None if aliases.is_redundant(name) => {}
                    None => {
                        return Err(Error::UnexpectedTensor {
                            path: path.clone(),
                            tensor: name.to_owned(),
                            architecture: owner.to_owned(),
                        });
                    }
                }
            }
        }
        let missing = |spec: &TensorSpec| Error::MissingTensor {
            path: self.whole.clone(),
            tensor: spec.name.clone(),
            shape: spec.shape.clone(),
        };
        found.into_iter().zip(specs).map(|(tensor, spec)| tensor.ok_or_else(|| missing(spec))).collect()
    }
}

/// Whether bitsandbytes' settings stand beside a tensor.
fn is_quantized(tensors: &SafeTensors, name: &str) -> bool {
    ["nf4", "fp4"].iter().any(|kind| tensors.tensor(&format!("{name}.quant_state.bitsandbytes__{kind}")).is_ok())
}

fn map(path: &Path) -> Result<Arc<Mmap>> {
    // A directory or a pipe of that name is no weights; opening a pipe would wait for ever.
    if !std::fs::metadata(path).map_err(Error::io(path))?.is_file() {
        let reason = "it is no regular file".to_owned();
        return Err(Error::CorruptWeights { path: path.to_path_buf(), reason });
    }
    let file = File::open(path).map_err(Error::io(path))?;
    // SAFETY: the mapping is read-only, and large f32 tensors stay in it while a model lives. A process that
    // truncates the file meanwhile can end this one, which no API of the system prevents; our own writers
    // replace files by renaming and never change one in place.
    unsafe { Mmap::map(&file) }.map(Arc::new).map_err(Error::io(path))
}

fn convert(path: &Path, file: &Arc<Mmap>, spec: &TensorSpec, view: &TensorView) -> Result<NamedTensor<f32>> {
    if view.shape() != spec.shape {
        return Err(Error::WrongShape {
            path: path.to_path_buf(),
            tensor: spec.name.clone(),
            expected: spec.shape.clone(),
            found: view.shape().to_vec(),
        });
    }
    let dtype = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        other => {
            return Err(Error::WrongDtype {
                path: path.to_path_buf(),
                tensor: spec.name.clone(),
                found: format!("{other:?}"),
            });
        }
    };
    if dtype == DType::F32
        && let Some(values) = Mapped::of(file, view.data())
    {
        let values = Storage::Mapped(values);
        return Ok(NamedTensor { name: spec.name.clone(), shape: spec.shape.clone(), values });
    }
    let to_f32 = || -> candle_core::Result<Vec<f32>> {
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, &[spec.len()], &Device::Cpu)?;
        tensor.to_dtype(DType::F32)?.to_vec1()
    };
    let values = to_f32().map_err(|source| Error::Tensor { tensor: spec.name.clone(), source })?;
    Ok(NamedTensor { name: spec.name.clone(), shape: spec.shape.clone(), values: values.into() })
}

/// Writes tensors to `path` atomically. The bytes depend on names, shapes and values alone.
pub(crate) fn serialize(path: &Path, tensors: &[NamedTensor<f32>], dtype: SaveDtype) -> Result<()> {
    let encode = |values: &[f32]| -> Vec<u8> {
        match dtype {
            SaveDtype::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            SaveDtype::Bf16 => values.iter().flat_map(|&x| half::bf16::from_f32(x).to_le_bytes()).collect(),
            SaveDtype::F16 => values.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect(),
        }
    };
    let target = match dtype {
        SaveDtype::F32 => Dtype::F32,
        SaveDtype::Bf16 => Dtype::BF16,
        SaveDtype::F16 => Dtype::F16,
    };
    let encoded: Vec<(&NamedTensor<f32>, Vec<u8>)> =
        tensors.iter().map(|tensor| (tensor, encode(tensor.values.as_slice()))).collect();
    let corrupt =
        |e: safetensors::SafeTensorError| Error::CorruptWeights { path: path.to_path_buf(), reason: e.to_string() };
    let mut views = Vec::with_capacity(encoded.len());
    for (tensor, bytes) in &encoded {
        let view = TensorView::new(target, tensor.shape.clone(), bytes).map_err(corrupt)?;
        views.push((tensor.name.as_str(), view));
    }
    // transformers refuses files that do not name their format.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(corrupt)?;
    write_atomic(path, &bytes)
}
