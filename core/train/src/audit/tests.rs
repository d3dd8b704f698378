use super::*;

#[test]
fn the_verdict_falls_two_steps_after_the_first_that_moves() {
    let mut audit = GradientAudit::new(2);
    // Warm-up: nothing moves in steps 1 and 2.
    assert!(audit.observe(1, 0.0, &[1.0, 0.0]).is_empty());
    assert!(audit.observe(2, 0.0, &[1.0, 0.0]).is_empty());
    assert!(audit.observe(3, 0.1, &[1.0, 0.0]).is_empty());
    assert!(audit.observe(4, 0.1, &[1.0, 0.0]).is_empty());
    assert_eq!(audit.observe(5, 0.1, &[1.0, 0.0]), [1]);
}

#[test]
fn one_gradient_at_any_time_is_enough() {
    let mut audit = GradientAudit::new(2);
    audit.observe(1, 0.1, &[0.0, 1e-300]);
    audit.observe(2, 0.1, &[2.0, 0.0]);
    assert!(audit.observe(3, 0.1, &[0.0, 0.0]).is_empty());
    assert!(audit.unreached().is_empty());
}

#[test]
fn what_is_left_out_is_never_missed() {
    let mut audit = GradientAudit::new(3).without(|index| index == 1);
    for step in 1..=3 {
        assert_eq!(audit.observe(step, 0.1, &[1.0, 0.0, 0.0]), if step < 3 { vec![] } else { vec![2] });
    }
}
