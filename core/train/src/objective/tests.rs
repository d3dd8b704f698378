use super::loss::{PairLogps, dpo, kl_estimate, kto, orpo};
use super::*;
use crate::Error;

const POLICY: PairLogps = PairLogps { chosen: -7.25, rejected: -6.5, n_chosen: 5, n_rejected: 4 };
const REFERENCE: PairLogps = PairLogps { chosen: -7.0, rejected: -6.75, n_chosen: 5, n_rejected: 4 };

fn variants() -> Vec<Objective> {
    let of = |dpo_loss, label_smoothing| Objective { dpo_loss, label_smoothing, beta: 0.3, ..Objective::default() };
    vec![
        of(DpoLoss::Sigmoid, 0.0),
        of(DpoLoss::Sigmoid, 0.2),
        of(DpoLoss::Robust, 0.1),
        of(DpoLoss::Hinge, 0.0),
        of(DpoLoss::Ipo, 0.0),
    ]
}

/// Central differences of a loss by the two log-probabilities.
fn assert_gradient(loss: impl Fn(PairLogps) -> super::loss::PairLoss, what: &str) {
    const H: f64 = 1e-5;
    let at = |chosen: f64, rejected: f64| {
        loss(PairLogps { chosen: POLICY.chosen + chosen, rejected: POLICY.rejected + rejected, ..POLICY }).loss
    };
    let found = loss(POLICY);
    let d_chosen = (at(H, 0.0) - at(-H, 0.0)) / (2.0 * H);
    let d_rejected = (at(0.0, H) - at(0.0, -H)) / (2.0 * H);
    assert!((found.d_chosen - d_chosen).abs() < 1e-8, "{what}: {} against {d_chosen}", found.d_chosen);
    assert!((found.d_rejected - d_rejected).abs() < 1e-8, "{what}: {} against {d_rejected}", found.d_rejected);
}

#[test]
fn derivatives_are_those_of_finite_differences() {
    for objective in variants() {
        assert_gradient(|policy| dpo(&objective, policy, REFERENCE), &format!("{objective:?}"));
        assert_gradient(|policy| orpo(&objective, policy), "orpo");
    }
    let objective = Objective { beta: 0.3, undesirable_weight: 1.5, ..Objective::default() };
    for desirable in [true, false] {
        let at = |logp: f64| kto(&objective, logp, 0.4, desirable);
        let expected = (at(0.2 + 1e-5).loss - at(0.2 - 1e-5).loss) / 2e-5;
        assert!((at(0.2).d_logp - expected).abs() < 1e-8);
    }
}

#[test]
fn a_policy_that_is_the_reference_has_the_loss_of_a_coin() {
    let loss = dpo(&Objective::default(), REFERENCE, REFERENCE);
    assert!((loss.loss - std::f64::consts::LN_2).abs() < 1e-12);
    assert_eq!((loss.chosen_reward, loss.rejected_reward), (0.0, 0.0));
}

#[test]
fn extreme_log_probabilities_stay_finite() {
    let far = PairLogps { chosen: -1e4, rejected: -1e-9, ..POLICY };
    for objective in variants() {
        let loss = dpo(&objective, far, REFERENCE);
        assert!(loss.loss.is_finite() && loss.d_chosen.is_finite(), "{objective:?}");
        let loss = orpo(&objective, far);
        assert!(loss.loss.is_finite() && loss.d_rejected.is_finite(), "{objective:?}");
    }
    assert_eq!(kl_estimate(&[-3.0, 1.0]), 0.0, "a divergence is not negative");
}

#[test]
fn settings_out_of_range_are_named() {
    let refused = |change: fn(&mut TrainConfig)| {
        let mut config = TrainConfig::default();
        config.objective.kind = ObjectiveKind::Kto;
        change(&mut config);
        match config.validate() {
            Err(Error::InvalidConfig { key, .. }) => key,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|config| config.objective.beta = 0.0), "beta");
    assert_eq!(refused(|config| config.objective.label_smoothing = 1.0), "label_smoothing");
    assert_eq!(refused(|config| config.objective.desirable_weight = f64::NAN), "desirable_weight");
    assert_eq!(refused(|config| config.pack_tokens = Some(64)), "packing");
    assert_eq!(refused(|config| config.batch_size = 1), "batch_size");
}
