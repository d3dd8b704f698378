//! A model as one GGUF file: header first, then tensor by tensor, so that only one is in memory twice.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::blocks::{BlockType, Quant};
use super::metadata;
use super::names::{pair_rows, permuted_heads, to_gguf};
use super::tokenizer::{self, Tokens};
use super::value::{Value, encode_text};
use crate::weights::NamedTensor;
use crate::{Error, Model, Result};

const VERSION: u32 = 3;
const ALIGNMENT: usize = 32;

/// What to write besides the weights.
#[derive(Debug, Clone)]
pub struct Gguf {
    /// `general.name`.
    pub name: String,
    /// How matrices are stored.
    pub quant: Quant,
    /// Tokenizer and chat template.
    pub tokens: Tokens,
}

/// One tensor of the file.
struct Planned<'a> {
    name: String,
    shape: Vec<usize>,
    kind: BlockType,
    n_bytes: usize,
    source: Source<'a>,
}

enum Source<'a> {
    Tensor { tensor: &'a NamedTensor<f32>, heads: Option<usize> },
    Values(Vec<f32>),
}

/// Write `model` to `path`, whole or not at all. The result says what llama.cpp will do otherwise.
///
/// # Errors
/// [`Error::Export`] for an architecture that the format cannot say, or a tokenizer of another model;
/// [`Error::Io`].
pub fn write_model(model: &Model, gguf: &Gguf, path: &Path) -> Result<Vec<String>> {
    let config = model.config();
    let mut entries = vec![
        ("general.architecture".to_owned(), Value::Text(metadata::architecture(config)?.into())),
        ("general.type".to_owned(), Value::Text("model".into())),
        ("general.name".to_owned(), Value::Text(gguf.name.clone())),
        ("general.file_type".to_owned(), Value::Unsigned(gguf.quant.file_type())),
        ("general.quantization_version".to_owned(), Value::Unsigned(2)),
    ];
    entries.extend(metadata::of_config(config)?);
    let (tokens, warning) = tokenizer::of_tokens(&gguf.tokens, config.vocab_size)?;
    entries.extend(tokens);
    let planned = plan(model, gguf.quant)?;
    let parent = path.parent().unwrap_or(Path::new("."));
    let fail = Error::io(path);
    let write = || -> std::io::Result<()> {
        let temporary = tempfile::Builder::new().prefix(".writing-").tempfile_in(parent)?;
        let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file());
        out.write_all(&header(&entries, &planned))?;
        for tensor in &planned {
            let bytes = encode(tensor).map_err(std::io::Error::other)?;
            out.write_all(&bytes)?;
            out.write_all(&vec![0; bytes.len().next_multiple_of(ALIGNMENT) - bytes.len()])?;
        }
        out.flush()?;
        drop(out);
        readable_by_others(temporary.as_file())?;
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        Ok(())
    };
    write().map_err(fail)?;
    Ok(metadata::warnings(config).into_iter().chain(warning).collect())
}

/// Temporary files are private; a model is as readable as any other file.
fn readable_by_others(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

fn plan(model: &Model, quant: Quant) -> Result<Vec<Planned<'_>>> {
    let config = model.config();
    let architecture = metadata::architecture(config)?;
    let mut planned = Vec::new();
    let mut add = |name: String, shape: Vec<usize>, kind: BlockType, source| {
        let n_bytes = kind.n_bytes(shape.iter().product()).unwrap_or(0);
        planned.push(Planned { name, shape, kind, n_bytes, source });
    };
    if let Some(factors) = metadata::rope_factors(&config.rope) {
        add("rope_freqs.weight".into(), vec![factors.len()], BlockType::F32, Source::Values(factors));
    }
    for tensor in &model.weights().tensors {
        let Some((name, layer)) = to_gguf(&tensor.name) else {
            let what = format!("llama.cpp's {architecture} has no place for the tensor {}", tensor.name);
            return Err(Error::Export { format: "GGUF", what });
        };
        let is_head = name == "output.weight" || (config.tie_word_embeddings && name == "token_embd.weight");
        let role = if is_head { "output.weight" } else { name.as_str() };
        let kind = quant.type_of(role, &tensor.shape, layer, config.n_layers);
        let heads = permuted_heads(architecture, &tensor.name, config.n_heads, config.n_kv_heads);
        add(name, tensor.shape.clone(), kind, Source::Tensor { tensor, heads });
    }
    Ok(planned)
}

fn header(entries: &[(String, Value)], planned: &[Planned<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(b"GGUF");
    out.extend(VERSION.to_le_bytes());
    out.extend((planned.len() as u64).to_le_bytes());
    out.extend((entries.len() as u64).to_le_bytes());
    for (key, value) in entries {
        encode_text(key, &mut out);
        value.encode(&mut out);
    }
    let mut offset = 0_u64;
    for tensor in planned {
        encode_text(&tensor.name, &mut out);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        out.extend(tensor.shape.iter().rev().flat_map(|size| (*size as u64).to_le_bytes()));
        out.extend(tensor.kind.number().to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset += tensor.n_bytes.next_multiple_of(ALIGNMENT) as u64;
    }
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out
}

fn encode(planned: &Planned<'_>) -> candle_core::Result<Vec<u8>> {
    match &planned.source {
        Source::Values(values) => planned.kind.encode(values),
        Source::Tensor { tensor, heads: None } => planned.kind.encode(tensor.values.as_slice()),
        Source::Tensor { tensor, heads: Some(heads) } => {
            planned.kind.encode(&pair_rows(tensor.values.as_slice(), tensor.shape[0], *heads))
        }
    }
}
