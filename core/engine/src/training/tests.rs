use super::*;

#[test]
fn a_curve_keeps_its_ends_and_its_limit() {
    assert_eq!(curve(&[]), []);
    assert_eq!(curve(&[2.0, 1.0]), [(1, 2.0), (2, 1.0)]);
    let long: Vec<f64> = (0..12_345).map(f64::from).collect();
    let thinned = curve(&long);
    assert_eq!(thinned.len(), MAX_LOSSES);
    assert_eq!(thinned.first(), Some(&(1, 0.0)));
    assert_eq!(thinned.last(), Some(&(12_345, 12_344.0)));
    assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
}
