use super::*;
use crate::metric::Aggregation;
use crate::testing::descriptor;

fn base() -> Signature {
    Signature {
        data: "sha256:1 test".into(),
        weights: "sha256:2".into(),
        num_fewshot: 4,
        seed: 7,
        engine: "0.1.0".into(),
        ..Signature::default()
    }
}

#[test]
fn equal_parts_have_equal_ids_and_every_part_counts() {
    let metric = descriptor("m", &[], Aggregation::Mean);
    let expected = sign(&base(), &metric);
    assert_eq!(expected.id.len(), ID_DIGITS);
    assert_eq!(sign(&base(), &metric), expected);
    // An id of the base is not part of the hash.
    assert_eq!(sign(&Signature { id: "old".into(), ..base() }, &metric), expected);
    let changes: [fn(&mut Signature); 9] = [
        |s| s.data.push('x'),
        |s| s.prompt_template.push('x'),
        |s| s.weights.push('x'),
        |s| s.adapter.push('x'),
        |s| s.tokenizer.push('x'),
        |s| s.generation.push('x'),
        |s| s.num_fewshot += 1,
        |s| s.seed += 1,
        |s| s.engine.push('x'),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = base();
        change(&mut changed);
        assert_ne!(sign(&changed, &metric).id, expected.id, "change {index}");
    }
    let other = MetricDescriptor { digest: "sha256:other".into(), ..metric };
    assert_ne!(sign(&base(), &other).id, expected.id);
}

#[test]
fn text_cannot_move_from_one_field_to_the_next() {
    let metric = descriptor("m", &[], Aggregation::Mean);
    let a = Signature { data: "ab".into(), prompt_template: "c".into(), ..base() };
    let b = Signature { data: "a".into(), prompt_template: "bc".into(), ..base() };
    assert_ne!(sign(&a, &metric).id, sign(&b, &metric).id);
}

#[test]
fn a_closure_is_local() {
    let metric = MetricDescriptor { digest: String::new(), ..descriptor("mine", &[], Aggregation::Mean) };
    let signed = sign(&base(), &metric);
    assert!(signed.local);
    assert_eq!(signed.plugin, "mine 1.0.0 local");
    assert!(!sign(&base(), &descriptor("m", &[], Aggregation::Mean)).local);
}
