//! Identical bytes to bitsandbytes': `tests/oracles/nf4.py` makes the file.

use super::*;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::path::Path;

const FIXTURE: &[u8] = include_bytes!("../../../../../tests/fixtures/quant/nf4.safetensors");

fn floats(view: &TensorView) -> Vec<f32> {
    let (values, _) = view.data().as_chunks::<4>();
    values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn stored(name: &str, shape: &[usize]) -> Result<Nf4> {
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    read(Path::new("nf4.safetensors"), &format!("{name}.weight"), shape, |part| file.tensor(part).ok())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[track_caller]
fn assert_same(name: &str, ours: &Nf4, theirs: &Nf4) {
    assert_eq!(ours.packed, theirs.packed, "{name}: codes");
    assert_eq!(ours.scales, theirs.scales, "{name}: scales");
}

/// The generator of the script.
fn generated(n: usize) -> Vec<f32> {
    let mut x = 12345u32;
    let mut draw = || {
        x = x.wrapping_mul(1664525).wrapping_add(1013904223);
        (x >> 8) as f32 * 2f32.powi(-23) - 1.0
    };
    (0..n).map(|_| (0..4).fold(0.0, |sum, _| sum + draw())).collect()
}

#[test]
fn bytes_are_those_of_bitsandbytes() {
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    for name in ["normal", "plain", "odd", "short", "scales", "halfway", "half"] {
        let input = file.tensor(&format!("{name}.input")).unwrap();
        let theirs = stored(name, input.shape()).unwrap();
        let ours = Nf4::quantize(name, &floats(&input), name != "plain").unwrap();
        assert_same(name, &ours, &theirs);
    }
    assert_same(
        "large",
        &Nf4::quantize("large", &generated(600 * 128), true).unwrap(),
        &stored("large", &[600, 128]).unwrap(),
    );
}

#[test]
fn values_are_those_of_bitsandbytes() {
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    for name in ["normal", "plain", "odd", "short", "scales", "halfway", "half", "wide"] {
        let values = file.tensor(&format!("{name}.values")).unwrap();
        let theirs = stored(name, values.shape()).unwrap();
        assert_eq!(bits(&theirs.to_vec::<f32>()), bits(&floats(&values)), "{name}");
    }
}

#[test]
fn any_part_of_the_values_can_be_asked_for() {
    let quantized = stored("odd", &[5, 13]).unwrap();
    let all = quantized.to_vec::<f64>();
    for (start, len) in [(0, 65), (1, 3), (62, 3), (13, 13), (64, 1), (7, 0)] {
        let mut part = vec![0.0; len];
        quantized.dequantize(start, &mut part);
        assert_eq!(part, all[start..start + len]);
    }
}

#[test]
fn a_quarter_byte_more_than_half_a_byte_per_value() {
    let quantized = Nf4::quantize("w", &generated(64 * 1024), true).unwrap();
    let bits_per_value = 8.0 * quantized.n_bytes() as f64 / quantized.len() as f64;
    assert!((4.12..4.3).contains(&bits_per_value), "{bits_per_value}");
}

#[test]
fn what_cannot_be_quantized_or_read_is_named() {
    let error = Nf4::quantize("w", &[1.0, f32::NAN], true).unwrap_err().to_string();
    assert!(error.contains("`w`") && error.contains("NaN"), "{error}");
    assert!(matches!(stored("odd", &[13, 5]), Err(Error::WrongShape { .. })));
    assert!(matches!(stored("absent", &[1]), Err(Error::MissingTensor { .. })));
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    let other = |part: &str| file.tensor(&part.replace("odd.weight.absmax", "normal.weight.absmax")).ok();
    let error = read(Path::new("f"), "odd.weight", &[5, 13], other).unwrap_err().to_string();
    assert!(error.contains(".absmax") && error.contains("2 bytes"), "{error}");
}

#[test]
fn parts_are_known_by_their_names() {
    assert_eq!(is_part("a.weight.quant_state.bitsandbytes__nf4"), Some("a.weight"));
    assert_eq!(is_part("a.weight.nested_absmax"), Some("a.weight"));
    assert_eq!(is_part("a.weight"), None);
    assert_eq!(is_part("a.bias"), None);
}

/// `tests/oracles/quantized.py`: a model that transformers saved with bitsandbytes' weights in it.
#[test]
fn a_quantized_checkpoint_is_read_as_it_is() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/quant/checkpoint");
    let model = crate::Model::load(&dir).unwrap();
    assert!(model.is_quantized());
    let bytes = std::fs::read(dir.join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| file.tensor(name).unwrap().data().as_chunks::<4>().0.to_vec();
    let input_ids: Vec<u32> = words("input_ids").into_iter().map(u32::from_le_bytes).collect();
    let expected: Vec<f32> = words("logits").into_iter().map(f32::from_le_bytes).collect();
    let never = std::sync::atomic::AtomicBool::new(false);
    let found = crate::logits(&model, None, &input_ids, &never).unwrap();
    let largest = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
    let difference = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
    assert!(difference < 1e-5, "{difference:.1e}");

    let saved = tempfile::tempdir().unwrap();
    model.dequantized().save(saved.path(), crate::SaveDtype::F32).unwrap();
    let dense = crate::Model::load(saved.path()).unwrap();
    assert!(!dense.is_quantized());
    assert_eq!(dense.fingerprint(), model.fingerprint());
}
