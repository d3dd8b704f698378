//! What transformers and llama.cpp call the same tensor, and how its rows are ordered.
//!
//! llama.cpp rotates neighbouring pairs of a head for the architecture `llama`, transformers pairs
//! the two halves; so the rows of q and k are permuted on the way out and back on the way in.

/// Ends of names inside a block: transformers', llama.cpp's.
const IN_BLOCK: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

const OUTSIDE: [(&str, &str); 3] =
    [("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output")];

/// llama.cpp's name of a tensor, and its block.
pub(super) fn to_gguf(name: &str) -> Option<(String, Option<usize>)> {
    let (module, end) = name.rsplit_once('.')?;
    if let Some((_, theirs)) = OUTSIDE.iter().find(|(ours, _)| *ours == module) {
        return Some((format!("{theirs}.{end}"), None));
    }
    let (layer, part) = module.strip_prefix("model.layers.")?.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    let (_, theirs) = IN_BLOCK.iter().find(|(ours, _)| *ours == part)?;
    Some((format!("blk.{layer}.{theirs}.{end}"), Some(layer)))
}

/// Whether the rows of a tensor are permuted, and how many heads they make.
pub(super) fn permuted_heads(architecture: &str, name: &str, n_heads: usize, n_kv_heads: usize) -> Option<usize> {
    if architecture != "llama" {
        return None;
    }
    let is = |part: &str| name.ends_with(&format!("{part}.weight")) || name.ends_with(&format!("{part}.bias"));
    match () {
        () if is("self_attn.q_proj") => Some(n_heads),
        () if is("self_attn.k_proj") => Some(n_kv_heads),
        () => None,
    }
}

/// Rows of each head from two halves to neighbouring pairs: `[heads, 2, half, …] → [heads, half, 2, …]`.
pub(super) fn pair_rows(values: &[f32], rows: usize, n_heads: usize) -> Vec<f32> {
    reorder(values, rows, n_heads, |half, i| (i % 2) * half + i / 2)
}

/// The inverse of [`pair_rows`].
pub(super) fn unpair_rows(values: &[f32], rows: usize, n_heads: usize) -> Vec<f32> {
    reorder(values, rows, n_heads, |half, i| (i % half) * 2 + i / half)
}

fn reorder(values: &[f32], rows: usize, n_heads: usize, source: impl Fn(usize, usize) -> usize) -> Vec<f32> {
    let (width, head) = (values.len() / rows, rows / n_heads);
    let mut out = Vec::with_capacity(values.len());
    for row in 0..rows {
        let from = row / head * head + source(head / 2, row % head);
        out.extend_from_slice(&values[from * width..(from + 1) * width]);
    }
    out
}
