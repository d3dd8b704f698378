//! pico's tokenizer: byte-level BPE whose pieces are the same wherever a name stands.
//!
//! A small model copies names by looking for the same tokens, so a name must not change with the
//! space before it. Spaces therefore belong to function words, SQL's keywords and operators; words
//! that may be names never carry one. Digits stand alone.

#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Result, anyhow};
use serde_json::json;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{AddedToken, PreTokenizerWrapper, TokenizerBuilder, TokenizerImpl};

/// Ends an assistant's turn; also the padding of nothing.
pub(super) const END: &str = "<|end|>";
/// Special tokens, ids 0 to 4.
pub(super) const SPECIAL: &[&str] = &["<|pad|>", END, "<|user|>", "<|assistant|>", "<|system|>"];
/// Rows of the embedding.
pub(super) const VOCABULARY: usize = 2048;

/// Words that are never copied; they take the spaces around them.
const FUNCTION_WORDS: &str = "a an the of and or how many what which who is are was were in on with for to from by per each every all there \
that have has had having their its than more less not no do does did whose where when list show give find count number different distinct \
values among average total highest lowest most fewest above below over under after before between at least between starts contains sorted \
ordered first latest earliest belonging belong together we any per maximum minimum combined mean higher lower without known calculate return \
def if else write python function word result year";

/// The chat format as Jinja, for tokenizer_config.json.
pub(super) const CHAT_TEMPLATE: &str = "{% for message in messages %}{% if message['role'] == 'assistant' %}\
<|assistant|>{{ message['content'] }}<|end|>{% elif message['role'] == 'system' %}<|system|>{{ message['content'] }}\
{% else %}<|user|>{{ message['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

/// Where texts are cut before merging; every branch keeps its match.
fn pattern() -> String {
    let words: Vec<String> = FUNCTION_WORDS
        .split_whitespace()
        .map(|word| format!("[{}{}]{}", word[..1].to_uppercase(), &word[..1], &word[1..]))
        .collect();
    [
        format!(" ?(?<![A-Za-z_.])(?:{})(?![A-Za-z_]) ?", words.join("|")),
        " ?(?<![A-Za-z_'])[A-Z]{2,}(?: [A-Z]{2,})*(?![A-Za-z_'0-9]) ?".to_owned(),
        "[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\\p{L}+".to_owned(),
        "\\p{N}".to_owned(),
        " (?:<=|>=|<>|==|=|<|>|\\*|/|\\+|-) ".to_owned(),
        ", ?".to_owned(),
        "\\n *".to_owned(),
        "[^\\s\\p{L}\\p{N},]+".to_owned(),
        " +|\\s+".to_owned(),
    ]
    .join("|")
}

/// Learns the merges from documents with their special tokens left out.
///
/// # Errors
/// An invalid pattern, or a text that cannot be split.
pub(super) fn train(texts: impl Iterator<Item = String> + Send, directory: &Path) -> Result<()> {
    let wrong = |error: tokenizers::Error| anyhow!("tokenizer: {error}");
    let split = Split::new(SplitPattern::Regex(pattern()), SplitDelimiterBehavior::Isolated, false).map_err(wrong)?;
    let bytes = ByteLevel::new(false, true, false);
    let steps = vec![PreTokenizerWrapper::Split(split), PreTokenizerWrapper::ByteLevel(bytes)];
    let mut tokenizer: TokenizerImpl<_, tokenizers::NormalizerWrapper, _, ByteLevel, ByteLevel> =
        TokenizerBuilder::new()
            .with_model(BPE::default())
            .with_pre_tokenizer(Some(PreTokenizerWrapper::Sequence(Sequence::new(steps))))
            .with_decoder(Some(bytes))
            .with_normalizer(None)
            .with_post_processor(None)
            .build()
            .map_err(wrong)?;
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(VOCABULARY)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(alphabet.into_iter().collect())
        .special_tokens(SPECIAL.iter().map(|token| AddedToken::from(*token, true)).collect())
        .build();
    tokenizer.train(&mut trainer, texts).map_err(wrong)?;
    tokenizer.save(directory.join("tokenizer.json"), true).map_err(wrong)?;
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": super::MAX_POSITIONS,
        "clean_up_tokenization_spaces": false,
        "add_bos_token": false,
        "add_eos_token": false,
        "bos_token": null,
        "eos_token": END,
        "pad_token": SPECIAL[0],
        "unk_token": null,
        "chat_template": CHAT_TEMPLATE,
    });
    super::write_json(&directory.join("tokenizer_config.json"), &config)
}
