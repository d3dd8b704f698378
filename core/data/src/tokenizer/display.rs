//! Tokens as people read them, and transformers' clean-up of spaces.

use serde_json::Value;

/// Do the vocabulary's entries stand in GPT-2's byte alphabet.
pub(super) fn is_byte_level(library: &tokenizers::Tokenizer) -> bool {
    let parts = [serde_json::to_value(library.get_decoder()), serde_json::to_value(library.get_pre_tokenizer())];
    parts.iter().flatten().any(mentions_byte_level)
}

fn mentions_byte_level(part: &Value) -> bool {
    match part {
        Value::Object(object) => {
            object.get("type").and_then(Value::as_str) == Some("ByteLevel") || object.values().any(mentions_byte_level)
        }
        Value::Array(list) => list.iter().any(mentions_byte_level),
        _ => false,
    }
}

/// A vocabulary entry as text.
pub(super) fn token_text(token: &str, byte_level: bool) -> String {
    if byte_level && let Some(bytes) = token.chars().map(byte_of).collect::<Option<Vec<u8>>>() {
        return lossy(&bytes);
    }
    if let Some(byte) = fallback_byte(token) {
        return lossy(&[byte]);
    }
    // U+2581 is SentencePiece's word mark.
    token.replace('\u{2581}', " ")
}

/// `<0x0A>`: SentencePiece's byte fallback.
fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// Inverse of GPT-2's `bytes_to_unicode`: printable Latin-1 stands for itself, every other byte,
/// in ascending order, for U+0100 and what follows.
fn byte_of(symbol: char) -> Option<u8> {
    let code = u32::from(symbol);
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => Some(code as u8),
        0x100..=0x120 => Some((code - 0x100) as u8),
        0x121..=0x142 => Some((code - 0x121 + 0x7f) as u8),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// UTF-8 where it is, `\xE2` where it is only part of a character.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

/// The replacements of transformers' `clean_up_tokenization`, in its order.
pub(super) fn clean_up_spaces(text: &str) -> String {
    const REPLACEMENTS: [(&str, &str); 10] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    REPLACEMENTS.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}
