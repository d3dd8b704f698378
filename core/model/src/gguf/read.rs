//! The header of a file, with every length checked before it is believed.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::blocks::BlockType;
use super::value::{Value, kind};
use crate::{Error, Result};

const MAGIC: [u8; 4] = *b"GGUF";

/// Versions that are read; 1 had 32-bit lengths and is not seen any more.
const VERSIONS: [u32; 2] = [2, 3];

/// More tensors or metadata than any model has.
const MAX_ENTRIES: u64 = 1 << 20;

/// Longest name of a tensor or key.
const MAX_NAME_BYTES: u64 = 1 << 16;

/// Longest text: a whole `tokenizer.json` of a large vocabulary has 35 MB.
const MAX_TEXT_BYTES: u64 = 256 << 20;

/// Entries of the longest array: vocabularies have some hundred thousand tokens.
const MAX_ARRAY: u64 = 1 << 24;

const MAX_DIMS: u32 = 4;

const DEFAULT_ALIGNMENT: u64 = 32;

/// One tensor as the header describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorEntry {
    /// Outermost first.
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub kind: BlockType,
    /// From the start of the file.
    start: u64,
    n_bytes: usize,
}

impl TensorEntry {
    /// Number of values.
    pub fn n_values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Everything before the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    path: PathBuf,
    /// By key.
    pub metadata: BTreeMap<String, Value>,
    /// By name.
    pub tensors: BTreeMap<String, TensorEntry>,
}

/// A file that is read from front to back, and how much of it is left.
struct Cursor<R> {
    reader: R,
    position: u64,
    len: u64,
}

type Found<T> = std::result::Result<T, String>;

impl<R: Read> Cursor<R> {
    fn take(&mut self, n: u64, what: &str) -> Found<Vec<u8>> {
        let left = self.len - self.position;
        if n > left {
            return Err(format!("{what} needs {n} bytes at {}, {left} are left", self.position));
        }
        let mut bytes = vec![0; n as usize];
        self.reader.read_exact(&mut bytes).map_err(|error| format!("{what}: {error}"))?;
        self.position += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Found<[u8; N]> {
        let bytes = self.take(N as u64, what)?;
        bytes.try_into().map_err(|_| what.to_owned())
    }

    fn u32(&mut self, what: &str) -> Found<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Found<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A count of things of which each takes at least `min_bytes`.
    fn count(&mut self, what: &str, max: u64, min_bytes: u64) -> Found<u64> {
        let n = self.u64(what)?;
        let left = self.len - self.position;
        if n > max || n.saturating_mul(min_bytes) > left {
            return Err(format!("{what} is {n}; {left} bytes are left"));
        }
        Ok(n)
    }

    fn text(&mut self, what: &str, max: u64) -> Found<String> {
        let n = self.count(&format!("the length of {what}"), max, 1)?;
        String::from_utf8(self.take(n, what)?).map_err(|_| format!("{what} is not UTF-8"))
    }

    fn value(&mut self, key: &str) -> Found<Value> {
        let kind = self.u32(key)?;
        if kind != kind::ARRAY {
            return self.scalar(key, kind);
        }
        let element = self.u32(key)?;
        let width = width(element).ok_or_else(|| format!("{key} is an array of type {element}"))?;
        let n = self.count(&format!("the length of {key}"), MAX_ARRAY, width)?;
        Ok(match element {
            kind::TEXT => Value::Texts((0..n).map(|_| self.text(key, MAX_TEXT_BYTES)).collect::<Found<_>>()?),
            kind::F32 | kind::F64 => {
                let each = |cursor: &mut Self| Ok(cursor.scalar(key, element)?.as_f64().unwrap_or_default() as f32);
                Value::Floats((0..n).map(|_| each(self)).collect::<Found<_>>()?)
            }
            kind::BOOL => {
                let each = |cursor: &mut Self| Ok(cursor.scalar(key, element)?.as_bool().unwrap_or_default());
                Value::Bools((0..n).map(|_| each(self)).collect::<Found<_>>()?)
            }
            _ => {
                let each = |cursor: &mut Self| match cursor.scalar(key, element)? {
                    Value::Unsigned(n) => i64::try_from(n).map_err(|_| format!("{key} holds {n}")),
                    Value::Signed(n) => Ok(n),
                    _ => Err(key.to_owned()),
                };
                Value::Integers((0..n).map(|_| each(self)).collect::<Found<_>>()?)
            }
        })
    }

    fn scalar(&mut self, key: &str, kind: u32) -> Found<Value> {
        Ok(match kind {
            kind::U8 => Value::Unsigned(u64::from(u8::from_le_bytes(self.array(key)?))),
            kind::U16 => Value::Unsigned(u64::from(u16::from_le_bytes(self.array(key)?))),
            kind::U32 => Value::Unsigned(u64::from(self.u32(key)?)),
            kind::U64 => Value::Unsigned(self.u64(key)?),
            kind::I8 => Value::Signed(i64::from(i8::from_le_bytes(self.array(key)?))),
            kind::I16 => Value::Signed(i64::from(i16::from_le_bytes(self.array(key)?))),
            kind::I32 => Value::Signed(i64::from(i32::from_le_bytes(self.array(key)?))),
            kind::I64 => Value::Signed(i64::from_le_bytes(self.array(key)?)),
            kind::F32 => Value::Float(f64::from(f32::from_le_bytes(self.array(key)?))),
            kind::F64 => Value::Float(f64::from_le_bytes(self.array(key)?)),
            kind::BOOL => match self.array::<1>(key)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [other] => return Err(format!("{key} is the truth value {other}")),
            },
            kind::TEXT => Value::Text(self.text(key, MAX_TEXT_BYTES)?),
            other => return Err(format!("{key} has type {other}")),
        })
    }
}

/// Least bytes of one element of an array; arrays of arrays are not read.
fn width(kind: u32) -> Option<u64> {
    Some(match kind {
        kind::U8 | kind::I8 | kind::BOOL => 1,
        kind::U16 | kind::I16 => 2,
        kind::U32 | kind::I32 | kind::F32 => 4,
        kind::U64 | kind::I64 | kind::F64 | kind::TEXT => 8,
        _ => return None,
    })
}

/// Where a tensor's data begins, from the start of the data.
struct Described {
    name: String,
    entry: TensorEntry,
}

impl Header {
    /// Read the header of `path`.
    ///
    /// # Errors
    /// [`Error::CorruptGguf`] with what does not hold together.
    pub fn read(path: &Path) -> Result<Header> {
        let file = File::open(path).map_err(Error::io(path))?;
        let len = file.metadata().map_err(Error::io(path))?.len();
        let cursor = Cursor { reader: BufReader::with_capacity(1 << 16, file), position: 0, len };
        parse(path, cursor).map_err(|reason| Error::CorruptGguf { path: path.to_path_buf(), reason })
    }

    /// The file that this is the header of.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The values of one tensor as f32.
    pub(super) fn values(&self, file: &mut File, name: &str) -> Result<Vec<f32>> {
        let Some(entry) = self.tensors.get(name) else {
            return Err(Error::CorruptGguf { path: self.path.clone(), reason: format!("no tensor {name:?}") });
        };
        let mut bytes = vec![0; entry.n_bytes];
        file.seek(SeekFrom::Start(entry.start)).map_err(Error::io(&self.path))?;
        file.read_exact(&mut bytes).map_err(Error::io(&self.path))?;
        let decoded = entry.kind.decode(&bytes, entry.n_values());
        decoded.map_err(|source| Error::Tensor { tensor: name.to_owned(), source })
    }
}

fn parse<R: Read>(path: &Path, mut cursor: Cursor<R>) -> Found<Header> {
    if cursor.array::<4>("the magic number")? != MAGIC {
        return Err("it does not begin with GGUF".into());
    }
    let version = cursor.u32("the version")?;
    if !VERSIONS.contains(&version) {
        return Err(format!("version {version}, expected 2 or 3 (little endian)"));
    }
    // A tensor has a name, a number of dimensions, a type, an offset; a value a key, a type, a byte.
    let n_tensors = cursor.count("the number of tensors", MAX_ENTRIES, 8 + 4 + 4 + 8)?;
    let n_values = cursor.count("the number of metadata entries", MAX_ENTRIES, 8 + 4 + 1)?;
    let mut metadata = BTreeMap::new();
    for _ in 0..n_values {
        let key = cursor.text("a metadata key", MAX_NAME_BYTES)?;
        let value = cursor.value(&key)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(format!("the metadata key {key:?} is there twice"));
        }
    }
    let described: Vec<Described> = (0..n_tensors).map(|_| describe(&mut cursor)).collect::<Found<_>>()?;
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(value) => match value.as_u64().filter(|n| n.is_power_of_two() && (8..=1 << 16).contains(n)) {
            Some(alignment) => alignment,
            None => return Err(format!("general.alignment is {value:?}")),
        },
    };
    let data_start = cursor.position.next_multiple_of(alignment);
    let tensors = place(described, data_start, alignment, cursor.len)?;
    Ok(Header { path: path.to_path_buf(), metadata, tensors })
}

fn describe<R: Read>(cursor: &mut Cursor<R>) -> Found<Described> {
    let name = cursor.text("a tensor's name", MAX_NAME_BYTES)?;
    let n_dims = cursor.u32(&name)?;
    if n_dims == 0 || n_dims > MAX_DIMS {
        return Err(format!("tensor {name:?} has {n_dims} dimensions"));
    }
    let mut shape = Vec::new();
    let mut n_values = 1_usize;
    for _ in 0..n_dims {
        let size = usize::try_from(cursor.u64(&name)?).ok().filter(|size| *size > 0);
        let more = size.and_then(|size| Some((size, n_values.checked_mul(size)?)));
        let Some((size, product)) = more else {
            return Err(format!("tensor {name:?} has an impossible size"));
        };
        n_values = product;
        shape.push(size);
    }
    shape.reverse();
    let number = cursor.u32(&name)?;
    let Some(kind) = BlockType::from_number(number) else {
        return Err(format!("tensor {name:?} has type {number}, which is not read"));
    };
    let row = shape.last().copied().unwrap_or(0);
    let n_bytes = kind.n_bytes(n_values).filter(|_| row.is_multiple_of(kind.block_len()));
    let Some(n_bytes) = n_bytes else {
        return Err(format!("tensor {name:?} {shape:?} does not fill blocks of {}", kind.name()));
    };
    let start = cursor.u64(&name)?;
    Ok(Described { name, entry: TensorEntry { shape, kind, start, n_bytes } })
}

/// Offsets become positions in the file; none may lie outside, on another tensor, or askew.
fn place(described: Vec<Described>, data_start: u64, alignment: u64, len: u64) -> Found<BTreeMap<String, TensorEntry>> {
    let mut order: Vec<(u64, u64, &str)> = Vec::with_capacity(described.len());
    for Described { name, entry } in &described {
        let end = data_start.checked_add(entry.start).and_then(|start| start.checked_add(entry.n_bytes as u64));
        if !entry.start.is_multiple_of(alignment) || end.is_none_or(|end| end > len) {
            let (start, n_bytes) = (entry.start, entry.n_bytes);
            return Err(format!(
                "tensor {name:?} has {n_bytes} bytes at {start} of the data; the file has {len} bytes"
            ));
        }
        order.push((entry.start, entry.start + entry.n_bytes as u64, name));
    }
    order.sort_unstable();
    for pair in order.windows(2) {
        if let [(_, end, first), (start, _, second)] = pair
            && end > start
        {
            return Err(format!("tensors {first:?} and {second:?} overlap"));
        }
    }
    let mut names = HashSet::new();
    if let Some(twice) = described.iter().find(|tensor| !names.insert(tensor.name.as_str())) {
        return Err(format!("the tensor {:?} is there twice", twice.name));
    }
    let placed = |Described { name, entry }: Described| {
        let start = data_start + entry.start;
        (name, TensorEntry { start, ..entry })
    };
    Ok(described.into_iter().map(placed).collect())
}
