//! `quantization_config`: how the weights beside a config.json are stored.

use super::keys::{Keys, unsupported};
use crate::Result;

/// What we read of it: bitsandbytes' NF4, with or without double quantization. The files themselves say
/// which tensors are in it, and their block sizes.
const SUPPORTED: &str = "absent, or bitsandbytes with load_in_4bit and bnb_4bit_quant_type \"nf4\"";

/// Refuses what the weights cannot be read from.
pub(super) fn check(keys: &Keys) -> Result<()> {
    let Some(settings) = keys.inner("quantization_config")? else { return Ok(()) };
    let refuse = |key: &str| {
        let found = settings.get(key).map_or_else(|| "absent".to_owned(), ToString::to_string);
        unsupported(&settings.path(key), found, SUPPORTED)
    };
    match settings.text("quant_method")? {
        Some("bitsandbytes") => {}
        _ => return refuse("quant_method"),
    }
    if !settings.flag("load_in_4bit")?.unwrap_or(false) {
        return refuse("load_in_4bit");
    }
    // The default of bitsandbytes' own configuration is fp4.
    match settings.text("bnb_4bit_quant_type")? {
        Some("nf4") => Ok(()),
        _ => refuse("bnb_4bit_quant_type"),
    }
}
