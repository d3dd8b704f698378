use super::*;

#[test]
fn equal_logits_have_no_distance() {
    let mut same = Fidelity::new(3);
    same.add(&[1.0, 2.0, -5.0, 0.0, 0.0, 0.0], &[1.0, 2.0, -5.0, 0.0, 0.0, 0.0]);
    assert_eq!((same.n_positions, same.max_difference, same.max_logit), (2, 0.0, 5.0));
    assert_eq!((same.mean_kl(), same.top1_agreement()), (0.0, 1.0));
}

#[test]
fn distances_are_those_of_the_definitions() {
    let mut one = Fidelity::new(2);
    // p = (0.75, 0.25), q = (0.5, 0.5): KL = 0.75 ln 1.5 + 0.25 ln 0.5 = 0.130812.
    one.add(&[3.0_f32.ln(), 0.0], &[0.0, 0.0]);
    assert!((one.mean_kl() - 0.130_812_035_94).abs() < 1e-7, "{}", one.mean_kl());
    assert!((one.max_difference - 3.0_f64.ln()).abs() < 1e-6);
    // A shift of all logits is no difference of distributions, but one of logits.
    let mut shifted = Fidelity::new(2);
    shifted.add(&[1.0, 0.0], &[3.0, 2.0]);
    assert!(shifted.mean_kl() < 1e-12 && (shifted.max_difference - 2.0).abs() < 1e-6);
    let mut turned = Fidelity::new(2);
    turned.add(&[1.0, 0.0, 1.0, 0.0], &[0.0, 1.0, 1.0, 0.0]);
    assert_eq!(turned.top1_agreement(), 0.5);
}

#[test]
fn what_is_no_number_is_infinitely_far() {
    for bad in [f32::NAN, f32::INFINITY] {
        let mut found = Fidelity::new(2);
        found.add(&[1.0, 0.0], &[bad, 0.0]);
        assert_eq!((found.max_difference, found.mean_kl()), (f64::INFINITY, f64::INFINITY), "{bad}");
    }
    assert_eq!(Fidelity::new(2).mean_kl(), f64::INFINITY, "nothing compared is nothing proved");
}
