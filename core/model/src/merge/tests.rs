use std::sync::atomic::AtomicBool;

use crate::testing::{random_adapter, random_ids, randomized, tiny_config};
use crate::{AdapterConfig, Fidelity, Model, logits};

static NEVER: AtomicBool = AtomicBool::new(false);

#[test]
fn a_merged_model_is_base_and_adapter() {
    let base = randomized(Model::init(tiny_config(), 1), 2);
    let config = AdapterConfig { r: 3, alpha: 5.0, ..AdapterConfig::default() };
    let adapter = random_adapter(&base, &config, 3);
    let before = base.fingerprint();
    let merged = base.merged(&adapter).unwrap();
    assert_eq!(base.fingerprint(), before, "the base stays as it is");

    let ids = random_ids(base.config().vocab_size, 24, 4);
    let wanted = logits(&base, Some(&adapter), &ids, &NEVER).unwrap();
    let compare = |model: &Model| {
        let mut fidelity = Fidelity::new(base.config().vocab_size);
        fidelity.add(&wanted, &logits(model, None, &ids, &NEVER).unwrap());
        fidelity
    };
    let same = compare(&merged);
    assert!(same.max_difference < 1e-4 * same.max_logit, "{same:?}");
    assert!(same.mean_kl() < 1e-8 && same.top1_agreement() == 1.0, "{same:?}");
    // The comparison sees what a merge can get wrong: nothing merged, or merged twice.
    for wrong in [base.clone(), merged.merged(&adapter).unwrap()] {
        let other = compare(&wrong);
        assert!(other.max_difference > 0.1 && other.mean_kl() > 1e-2, "{other:?}");
    }
}
