//! What is to be written, decided before anything is computed.

use luthier_model::SaveDtype;
use luthier_model::gguf::Quant;
use luthier_protocol::spec::ExportSpec;

use super::Consumer;
use crate::Error;

/// The file format, and how weights are stored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A model directory as transformers has it.
    Safetensors(SaveDtype),
    /// The adapter alone.
    Peft,
    /// One file for llama.cpp.
    Gguf(Quant),
}

/// An export that makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) format: Format,
    pub(crate) consumer: Option<Consumer>,
}

impl Format {
    /// As in `--to`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Safetensors(_) => "safetensors",
            Format::Peft => "peft",
            Format::Gguf(_) => "gguf",
        }
    }

    /// As in `--dtype` and `--quant`.
    pub(crate) fn dtype(self) -> &'static str {
        match self {
            Format::Safetensors(dtype) => dtype_name(dtype),
            Format::Peft => "F32",
            Format::Gguf(quant) => quant.name(),
        }
    }
}

fn dtype_name(dtype: SaveDtype) -> &'static str {
    match dtype {
        SaveDtype::F32 => "F32",
        SaveDtype::Bf16 => "BF16",
        SaveDtype::F16 => "F16",
    }
}

/// `F32`, `BF16` or `F16`; without a word as the base is `stored`.
pub(crate) fn save_dtype(word: Option<&str>, stored: &str) -> Result<SaveDtype, Error> {
    let known = [SaveDtype::F32, SaveDtype::Bf16, SaveDtype::F16];
    match word {
        None => Ok(known
            .into_iter()
            .find(|dtype| dtype_name(*dtype).eq_ignore_ascii_case(stored))
            .unwrap_or(SaveDtype::F32)),
        Some(word) => known
            .into_iter()
            .find(|dtype| dtype_name(*dtype).eq_ignore_ascii_case(word))
            .ok_or_else(|| Error::invalid("dtype", word, "F32, BF16 or F16").at("/dtype")),
    }
}

fn quant(word: Option<&str>) -> Result<Quant, Error> {
    let names = Quant::ALL.map(Quant::name).join(", ");
    match word {
        None => Ok(Quant::F16),
        Some(word) => Quant::ALL
            .into_iter()
            .find(|quant| quant.name().eq_ignore_ascii_case(word))
            .ok_or_else(|| Error::invalid("quant", word, &format!("one of {names}")).at("/quant")),
    }
}

impl Plan {
    /// What `spec` asks for. `stored` is the base model's dtype, `is_adapter` what is exported.
    pub(crate) fn new(spec: &ExportSpec, stored: &str, is_adapter: bool) -> Result<Plan, Error> {
        let consumer = spec.consumer.as_deref().map(Consumer::parse).transpose()?;
        let default = match consumer {
            Some(consumer) => consumer.format(is_adapter),
            None if spec.quant.is_some() => "gguf",
            None => "safetensors",
        };
        let to = spec.to.as_deref().unwrap_or(default);
        let only = |key: &'static str, given: bool, format: &str| match given {
            true => Err(Error::invalid(key, format!("given with `to = {to}`"), &format!("only with `to = {format}`"))),
            false => Ok(()),
        };
        let format = match to {
            "safetensors" => {
                only("quant", spec.quant.is_some(), "gguf").map_err(|error| error.at("/quant"))?;
                Format::Safetensors(save_dtype(spec.dtype.as_deref(), stored)?)
            }
            "peft" => {
                only("quant", spec.quant.is_some(), "gguf").map_err(|error| error.at("/quant"))?;
                only("dtype", spec.dtype.is_some(), "safetensors").map_err(|error| error.at("/dtype"))?;
                Format::Peft
            }
            "gguf" => {
                only("dtype", spec.dtype.is_some(), "safetensors").map_err(|error| error.at("/dtype"))?;
                Format::Gguf(quant(spec.quant.as_deref())?)
            }
            other => return Err(Error::invalid("to", other, "safetensors, peft or gguf").at("/to")),
        };
        if format == Format::Peft && !is_adapter {
            let expected = "an adapter; a whole model is written with `to = safetensors`";
            return Err(Error::invalid("what PEFT's format holds", "a model without an adapter", expected).at("/model"));
        }
        if let Some(consumer) = consumer {
            consumer.check_format(format.name())?;
        }
        Ok(Plan { format, consumer })
    }
}

#[cfg(test)]
mod tests;
