//! The architectures that this decoder knows.

use super::keys::{Keys, unsupported};
use crate::Result;

/// The architecture that config.json names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Architecture {
    /// `LlamaForCausalLM`: also SmolLM2, TinyLlama, Yi.
    Llama,
    /// `MistralForCausalLM`: sliding-window attention.
    Mistral,
    /// `SmolLM3ForCausalLM`: some layers without rotary position embedding.
    SmolLm3,
    /// `Qwen2ForCausalLM`: biases on q, k and v; also Qwen2.5.
    Qwen2,
    /// `Qwen3ForCausalLM`: norms on each head of q and k.
    Qwen3,
    /// `Qwen3MoeForCausalLM`: experts.
    Qwen3Moe,
    /// `Gemma2ForCausalLM`: norms before and after, soft limits, alternating windows.
    Gemma2,
    /// `Gemma3ForCausalLM`: also norms on q and k, two rotary bases.
    Gemma3,
    /// `Phi3ForCausalLM`: fused projections; also Phi-3.5 and Phi-4.
    Phi3,
    /// `GPT2LMHeadModel`: learned positions, LayerNorm.
    Gpt2,
    /// `GPTNeoXForCausalLM`: parallel residual; also Pythia and Dolly.
    GptNeoX,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Architecture; 11] = [
        Architecture::Llama,
        Architecture::Mistral,
        Architecture::SmolLm3,
        Architecture::Qwen2,
        Architecture::Qwen3,
        Architecture::Qwen3Moe,
        Architecture::Gemma2,
        Architecture::Gemma3,
        Architecture::Phi3,
        Architecture::Gpt2,
        Architecture::GptNeoX,
    ];

    /// The value of `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Mistral => "mistral",
            Architecture::SmolLm3 => "smollm3",
            Architecture::Qwen2 => "qwen2",
            Architecture::Qwen3 => "qwen3",
            Architecture::Qwen3Moe => "qwen3_moe",
            Architecture::Gemma2 => "gemma2",
            Architecture::Gemma3 => "gemma3_text",
            Architecture::Phi3 => "phi3",
            Architecture::Gpt2 => "gpt2",
            Architecture::GptNeoX => "gpt_neox",
        }
    }

    /// The entry of `architectures`.
    pub fn class_name(self) -> &'static str {
        match self {
            Architecture::Llama => "LlamaForCausalLM",
            Architecture::Mistral => "MistralForCausalLM",
            Architecture::SmolLm3 => "SmolLM3ForCausalLM",
            Architecture::Qwen2 => "Qwen2ForCausalLM",
            Architecture::Qwen3 => "Qwen3ForCausalLM",
            Architecture::Qwen3Moe => "Qwen3MoeForCausalLM",
            Architecture::Gemma2 => "Gemma2ForCausalLM",
            Architecture::Gemma3 => "Gemma3ForCausalLM",
            Architecture::Phi3 => "Phi3ForCausalLM",
            Architecture::Gpt2 => "GPT2LMHeadModel",
            Architecture::GptNeoX => "GPTNeoXForCausalLM",
        }
    }
}

pub(super) fn architecture(keys: &Keys) -> Result<Architecture> {
    let supported = || Architecture::ALL.map(Architecture::model_type).join(", ");
    let Some(model_type) = keys.text("model_type")? else {
        return unsupported("model_type", "absent", &supported());
    };
    match Architecture::ALL.into_iter().find(|a| a.model_type() == model_type) {
        Some(architecture) => Ok(architecture),
        None => unsupported("model_type", format!("\"{model_type}\""), &supported()),
    }
}
