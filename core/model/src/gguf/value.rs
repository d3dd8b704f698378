//! Values of the metadata.

/// A metadata value. Arrays of numbers of any width are kept as 64-bit ones.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Any unsigned integer; written as 32 bits.
    Unsigned(u64),
    /// Any signed integer; written as 32 bits.
    Signed(i64),
    /// A 32 or 64-bit float; written as 32 bits.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// Several integers; written as 32-bit signed ones.
    Integers(Vec<i64>),
    /// Several floats; written as 32-bit ones.
    Floats(Vec<f32>),
    /// Several truth values.
    Bools(Vec<bool>),
}

/// Type numbers of the format.
pub(super) mod kind {
    pub(crate) const U8: u32 = 0;
    pub(crate) const I8: u32 = 1;
    pub(crate) const U16: u32 = 2;
    pub(crate) const I16: u32 = 3;
    pub(crate) const U32: u32 = 4;
    pub(crate) const I32: u32 = 5;
    pub(crate) const F32: u32 = 6;
    pub(crate) const BOOL: u32 = 7;
    pub(crate) const TEXT: u32 = 8;
    pub(crate) const ARRAY: u32 = 9;
    pub(crate) const U64: u32 = 10;
    pub(crate) const I64: u32 = 11;
    pub(crate) const F64: u32 = 12;
}

impl Value {
    /// A non-negative integer.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Unsigned(n) => Some(*n),
            Value::Signed(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(x) => Some(*x),
            Value::Unsigned(n) => Some(*n as f64),
            Value::Signed(n) => Some(*n as f64),
            _ => None,
        }
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Append type and value as the format has them.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let number = |out: &mut Vec<u8>, kind: u32, bytes: [u8; 4]| {
            out.extend(kind.to_le_bytes());
            out.extend(bytes);
        };
        match self {
            Value::Unsigned(n) => number(out, kind::U32, (u32::try_from(*n).unwrap_or(u32::MAX)).to_le_bytes()),
            Value::Signed(n) => number(out, kind::I32, (*n as i32).to_le_bytes()),
            Value::Float(x) => number(out, kind::F32, (*x as f32).to_le_bytes()),
            Value::Bool(flag) => {
                out.extend(kind::BOOL.to_le_bytes());
                out.push(u8::from(*flag));
            }
            Value::Text(text) => {
                out.extend(kind::TEXT.to_le_bytes());
                encode_text(text, out);
            }
            Value::Texts(texts) => {
                array(out, kind::TEXT, texts.len());
                texts.iter().for_each(|text| encode_text(text, out));
            }
            Value::Integers(numbers) => {
                array(out, kind::I32, numbers.len());
                out.extend(numbers.iter().flat_map(|n| (*n as i32).to_le_bytes()));
            }
            Value::Floats(numbers) => {
                array(out, kind::F32, numbers.len());
                out.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
            }
            Value::Bools(flags) => {
                array(out, kind::BOOL, flags.len());
                out.extend(flags.iter().map(|flag| u8::from(*flag)));
            }
        }
    }
}

fn array(out: &mut Vec<u8>, kind: u32, len: usize) {
    out.extend(kind::ARRAY.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend((len as u64).to_le_bytes());
}

pub(super) fn encode_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
