use super::bootstrap::paired_difference;
use super::*;

#[test]
fn wilson_stays_within_zero_and_one() {
    assert_eq!(wilson(0, 0, 0.95), None);
    let none = wilson(0, 50, 0.95).unwrap();
    let all = wilson(50, 50, 0.95).unwrap();
    assert_eq!((none.low, all.high), (0.0, 1.0));
    assert!((none.high - (1.0 - all.low)).abs() < 1e-12);
}

#[test]
fn mcnemar_of_an_even_split_and_of_nothing_is_one() {
    assert_eq!(mcnemar_exact(0, 0), 1.0);
    assert_eq!(mcnemar_exact(4, 4), 1.0);
    assert_eq!(mcnemar_exact(0, 1), 1.0);
    assert!((mcnemar_exact(0, 6) - 2.0 / 64.0).abs() < 1e-15);
    assert_eq!(mcnemar_exact(3, 9), mcnemar_exact(9, 3));
}

#[test]
fn many_disagreements_do_not_overflow() {
    let p = mcnemar_exact(20_000, 20_400);
    assert!(p > 0.04 && p < 0.05, "{p}");
}

#[test]
fn the_order_of_values_does_not_change_a_bit() {
    let values: Vec<f64> = (0..101).map(|i| f64::from(i * 37 % 101).sqrt()).collect();
    let mut reversed = values.clone();
    reversed.reverse();
    assert_eq!(mean(&values).unwrap().to_bits(), mean(&reversed).unwrap().to_bits());
    assert_eq!(bootstrap_mean(&values, 0.95, 3), bootstrap_mean(&reversed, 0.95, 3));
    assert_ne!(bootstrap_mean(&values, 0.95, 3), bootstrap_mean(&values, 0.95, 4));
}

#[test]
fn equal_values_have_an_interval_of_no_width() {
    assert_eq!(bootstrap_mean(&[0.5; 30], 0.95, 0), Some(Interval { low: 0.5, high: 0.5 }));
    assert_eq!(bootstrap_mean(&[], 0.95, 0), None);
    assert_eq!(mean(&[]), None);
}

#[test]
fn a_clear_paired_difference_excludes_zero() {
    let differences: Vec<f64> = (0..100).map(|i| if i % 3 == 0 { 1.0 } else { 0.0 }).collect();
    let (difference, interval) = paired_difference(&differences, 0.95, 0).unwrap();
    assert!((difference - 0.34).abs() < 1e-12);
    assert!(interval.low > 0.2 && interval.high < 0.5, "{interval:?}");
}
