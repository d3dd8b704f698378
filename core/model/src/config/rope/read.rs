//! Reading RoPE's settings: `rope_theta` + `rope_scaling` of older files, `rope_parameters` of newer
//! ones.

use super::{RopeConfig, RopeScaling};
use crate::Result;
use crate::config::keys::{Keys, unsupported};
use crate::math;
use serde_json::json;

/// What a family knows before it reads RoPE's own settings.
pub(in crate::config) struct Given {
    /// Base, if the settings have none.
    pub(in crate::config) theta: f64,
    pub(in crate::config) head_dim: usize,
    pub(in crate::config) max_seq_len: usize,
    /// Share of rotated dimensions, if the settings have none.
    pub(in crate::config) partial_rotary_factor: f64,
    /// Whether the family rotates only a part of a head if it is told to.
    pub(in crate::config) allows_partial: bool,
    /// Whether "su" and "yarn" are LongRoPE's older names (Phi-3).
    pub(in crate::config) has_old_longrope_names: bool,
    /// Context length of pre-training; goes before that of the settings.
    pub(in crate::config) original_max_position_embeddings: Option<f64>,
}

impl Given {
    pub(in crate::config) fn new(theta: f64, head_dim: usize, max_seq_len: usize) -> Self {
        Given {
            theta,
            head_dim,
            max_seq_len,
            partial_rotary_factor: 1.0,
            allows_partial: false,
            has_old_longrope_names: false,
            original_max_position_embeddings: None,
        }
    }
}

impl RopeConfig {
    /// Without context extension.
    pub(in crate::config) fn plain(given: &Given) -> Self {
        let dim = (given.head_dim as f64 * given.partial_rotary_factor) as usize;
        RopeConfig { theta: given.theta, dim, scaling: RopeScaling::None }
    }

    /// From a file's own object.
    pub(in crate::config) fn read(keys: &Keys, given: &Given) -> Result<Self> {
        let given = Given {
            theta: keys.number("rope_theta")?.unwrap_or(given.theta),
            partial_rotary_factor: partial(keys, given)?,
            original_max_position_embeddings: match given.original_max_position_embeddings {
                Some(original) => Some(original),
                None => keys.number("original_max_position_embeddings")?,
            },
            ..*given
        };
        // As in transformers, rope_scaling goes first if a file has both.
        let scaling = keys.inner("rope_scaling")?.filter(|scaling| !scaling.object.is_empty());
        if let Some(object) = match scaling {
            Some(object) => Some(object),
            None => keys.inner("rope_parameters")?,
        } {
            return RopeConfig::read_object(&object, &given);
        }
        checked_dim(keys, &given)?;
        Ok(RopeConfig::plain(&given))
    }

    /// From the object of `rope_parameters` or `rope_scaling`.
    pub(in crate::config) fn read_object(keys: &Keys, given: &Given) -> Result<Self> {
        let given = Given { partial_rotary_factor: partial(keys, given)?, ..*given };
        let theta = keys.number("rope_theta")?.unwrap_or(given.theta);
        let dim = checked_dim(keys, &given)?;
        let kind = match keys.text("rope_type")? {
            Some(kind) => kind,
            None => keys.text("type")?.unwrap_or("default"),
        };
        let scaling = match kind {
            "default" => RopeScaling::None,
            "linear" => RopeScaling::Linear { factor: keys.required("factor", keys.number("factor")?)? },
            "dynamic" => RopeScaling::Dynamic {
                factor: keys.required("factor", keys.number("factor")?)?,
                // Not original_max_position_embeddings: the reference reads the limit of the model.
                original_max_position_embeddings: given.max_seq_len as f64,
            },
            "llama3" => llama3(keys, &given)?,
            "longrope" => longrope(keys, &given, dim)?,
            "su" | "yarn" if given.has_old_longrope_names => longrope(keys, &given, dim)?,
            "yarn" => yarn(keys, &given)?,
            other => {
                let supported = "default, linear, dynamic, llama3, yarn, longrope";
                return unsupported(&keys.path("rope_type"), format!("\"{other}\""), supported);
            }
        };
        Ok(RopeConfig { theta, dim, scaling })
    }
}

/// The share of rotated dimensions; refused where the family rotates whole heads only.
fn partial(keys: &Keys, given: &Given) -> Result<f64> {
    match keys.number("partial_rotary_factor")? {
        None => Ok(given.partial_rotary_factor),
        Some(factor) if factor == 1.0 || (given.allows_partial && factor < 1.0) => Ok(factor),
        Some(factor) => {
            let supported = if given.allows_partial { "up to 1.0" } else { "1.0 or absent" };
            unsupported(&keys.path("partial_rotary_factor"), factor, supported)
        }
    }
}

/// Rotated dimensions, which come in pairs.
fn checked_dim(keys: &Keys, given: &Given) -> Result<usize> {
    let dim = (given.head_dim as f64 * given.partial_rotary_factor) as usize;
    if dim == 0 || !dim.is_multiple_of(2) {
        return keys.invalid("head_dim", "an even number of rotated dimensions", &json!(dim));
    }
    Ok(dim)
}

fn original(keys: &Keys, given: &Given) -> Result<f64> {
    match given.original_max_position_embeddings {
        Some(original) => Ok(original),
        None => Ok(keys.number("original_max_position_embeddings")?.unwrap_or(given.max_seq_len as f64)),
    }
}

fn llama3(keys: &Keys, given: &Given) -> Result<RopeScaling> {
    let low = keys.required("low_freq_factor", keys.number("low_freq_factor")?)?;
    let high = keys.required("high_freq_factor", keys.number("high_freq_factor")?)?;
    if high <= low {
        return keys.invalid("high_freq_factor", &format!("above low_freq_factor = {low}"), &json!(high));
    }
    Ok(RopeScaling::Llama3 {
        factor: keys.required("factor", keys.number("factor")?)?,
        low_freq_factor: low,
        high_freq_factor: high,
        original_max_position_embeddings: original(keys, given)?,
    })
}

fn yarn(keys: &Keys, given: &Given) -> Result<RopeScaling> {
    let original = original(keys, given)?;
    let factor = keys.number("factor")?.unwrap_or(given.max_seq_len as f64 / original);
    // The paper's growth of the attention temperature.
    let growth = |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * math::ln(factor) + 1.0 };
    let attention_factor = match (keys.number("attention_factor")?, keys.number("mscale")?) {
        (Some(factor), _) => factor,
        (None, Some(scale)) => match keys.number("mscale_all_dim")? {
            Some(all) => growth(scale) / growth(all),
            None => growth(1.0),
        },
        (None, None) => growth(1.0),
    };
    Ok(RopeScaling::Yarn {
        factor,
        beta_fast: keys.number("beta_fast")?.unwrap_or(32.0),
        beta_slow: keys.number("beta_slow")?.unwrap_or(1.0),
        truncate: keys.flag("truncate")?.unwrap_or(true),
        original_max_position_embeddings: original,
        attention_factor,
    })
}

fn longrope(keys: &Keys, given: &Given, dim: usize) -> Result<RopeScaling> {
    let list = |key: &str| {
        let list = keys.required(key, keys.numbers(key)?)?;
        match list.len() == dim / 2 {
            true => Ok(list),
            false => keys.invalid(key, &format!("a list of {} numbers", dim / 2), &json!(list.len())),
        }
    };
    let original = original(keys, given)?;
    let factor = keys.number("factor")?.unwrap_or(given.max_seq_len as f64 / original);
    let attention_factor = match keys.number("attention_factor")? {
        Some(factor) => factor,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + math::ln(factor) / math::ln(original)).sqrt(),
    };
    Ok(RopeScaling::LongRope {
        short_factor: list("short_factor")?,
        long_factor: list("long_factor")?,
        original_max_position_embeddings: original,
        attention_factor,
    })
}
