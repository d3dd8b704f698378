use super::*;

#[test]
fn the_warm_up_starts_at_zero_and_ends_at_one() {
    for schedule in [Schedule::Cosine, Schedule::Linear, Schedule::Constant, Schedule::Wsd] {
        assert_eq!(schedule.multiplier(0, 4, 2, 20), 0.0);
        assert_eq!(schedule.multiplier(1, 4, 2, 20), 0.25);
        assert_eq!(schedule.multiplier(4, 4, 2, 20), 1.0);
    }
}

#[test]
fn without_warm_up_the_first_step_has_the_peak_rate() {
    assert_eq!(Schedule::Linear.multiplier(0, 0, 0, 10), 1.0);
    assert_eq!(Schedule::Cosine.multiplier(0, 0, 0, 10), 1.0);
}

#[test]
fn decay_ends_near_zero_and_never_below() {
    assert_eq!(Schedule::Linear.multiplier(10, 0, 0, 10), 0.0);
    assert_eq!(Schedule::Linear.multiplier(11, 0, 0, 10), 0.0);
    assert!(Schedule::Cosine.multiplier(99, 10, 0, 100) > 0.0);
    assert_eq!(Schedule::Constant.multiplier(99, 10, 0, 100), 1.0);
}

#[test]
fn a_share_of_the_run_is_rounded_up() {
    assert_eq!(warmup_steps(0.03, 100), 3);
    assert_eq!(warmup_steps(0.03, 101), 4);
    assert_eq!(warmup_steps(0.0, 101), 0);
    assert_eq!(warmup_steps(0.03, 1), 0, "a share never takes the whole run");
}

#[test]
fn wsd_stays_until_the_decay_and_ends_near_zero() {
    let at = |step| Schedule::Wsd.multiplier(step, 10, 20, 100);
    assert_eq!((at(10), at(79), at(80)), (1.0, 1.0, 1.0));
    assert!((at(90) - 0.5).abs() < 1e-12);
    assert!(at(99) > 0.0 && at(99) < 0.01);
    assert_eq!(at(100), 0.0);
    assert_eq!(decay_steps(0.1, 101), 11);
}
