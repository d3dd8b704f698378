//! A recipe's `method` and `[lora]` as the model crate's settings.

use std::sync::Arc;

use luthier_model::{AdapterConfig, AdapterKind, Bias, LoraInit};
use luthier_protocol::spec::{BiasSpec, FinetuneSpec, LoraSpec, Method};

use crate::Error;
use crate::error::AtExt;
use crate::models::LoadedModel;

#[cfg(test)]
mod tests;

/// The adapter's settings; `None` for a method that trains all weights. A setting that the method does
/// not have is refused.
pub(super) fn adapter_config(spec: &FinetuneSpec) -> Result<Option<AdapterConfig>, Error> {
    let (lora, default) = (&spec.lora, LoraSpec::default());
    if spec.method != Method::Qlora && lora.double_quant != default.double_quant {
        return refuse("/lora/double_quant", lora.double_quant, spec.method);
    }
    if spec.method == Method::Full {
        return match lora.modules_to_save.is_empty() && lora.layers.is_empty() && lora.bias == default.bias {
            true => Ok(None),
            false => {
                let expected = "no modules_to_save, layers or bias with method = \"full\", which trains everything";
                Err(Error::invalid("[lora]", "a choice of weights", expected)).at("/lora")
            }
        };
    }
    let is_ia3 = spec.method == Method::Ia3;
    if is_ia3 && lora.r != default.r {
        return refuse("/lora/r", lora.r, spec.method);
    }
    if is_ia3 && lora.alpha != default.alpha {
        return refuse("/lora/alpha", lora.alpha, spec.method);
    }
    Ok(Some(AdapterConfig {
        kind: if is_ia3 { AdapterKind::Ia3 } else { AdapterKind::Lora },
        r: lora.r,
        alpha: lora.alpha,
        dropout: lora.dropout,
        use_rslora: spec.method == Method::Rslora,
        use_dora: spec.method == Method::Dora,
        init: if spec.method == Method::Pissa { LoraInit::Pissa } else { LoraInit::Kaiming },
        target_modules: match is_ia3 && lora.target_modules == default.target_modules {
            true => Vec::new(),
            false => lora.target_modules.clone(),
        },
        exclude_modules: lora.exclude_modules.clone(),
        layers: lora.layers.clone(),
        rank_pattern: lora.rank_pattern.clone().into_iter().collect(),
        alpha_pattern: lora.alpha_pattern.clone().into_iter().collect(),
        modules_to_save: lora.modules_to_save.clone(),
        bias: match lora.bias {
            BiasSpec::None => Bias::None,
            BiasSpec::All => Bias::All,
            BiasSpec::LoraOnly => Bias::LoraOnly,
        },
        ..AdapterConfig::default()
    }))
}

fn refuse<T>(pointer: &'static str, found: impl ToString, method: Method) -> Result<T, Error> {
    let expected = format!("unset: method = \"{}\" has no such setting", method.name());
    Err(Error::invalid(pointer.trim_start_matches("/lora/"), found.to_string(), &expected)).at(pointer)
}

/// The model that `method` trains on: QLoRA's is in four bits, and all weights are trained only where
/// they are plain numbers.
pub(super) fn base(spec: &FinetuneSpec, model: Arc<LoadedModel>) -> Result<Arc<LoadedModel>, Error> {
    match spec.method {
        Method::Qlora => model.in_nf4(spec.lora.double_quant),
        Method::Full if model.model.is_quantized() => {
            let expected = "an adapter's: the model's weights are in four bits";
            Err(Error::invalid("method", "full", expected)).at("/method")
        }
        _ => Ok(model),
    }
}
