use luthier_protocol::response::LengthBin;

use super::{histogram, stats};

/// `numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], [50, 75, 90, 95, 99])`.
#[test]
fn percentiles_are_those_of_numpy() {
    let found = stats(&[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]).unwrap();
    assert_eq!((found.n, found.total, found.min, found.max), (11, 44, 1, 9));
    let expected = [4.0, 4.0, 5.0, 6.0, 7.5, 8.7];
    for (found, expected) in [found.mean, found.p50, found.p75, found.p90, found.p95, found.p99].iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    assert_eq!(stats(&[]), None);
    assert_eq!(stats(&[7]).unwrap().p99, 7.0);
}

#[test]
fn every_length_is_in_one_bar() {
    let lengths: Vec<u64> = (0..1000).map(|i| 10 + i * i % 777).collect();
    let bins = histogram(&lengths);
    assert!(bins.len() <= 20 && bins.iter().map(|bin| bin.n).sum::<u64>() == 1000);
    assert!(bins.windows(2).all(|pair| pair[0].to + 1 == pair[1].from));
    assert_eq!(histogram(&[5, 5]), [LengthBin { from: 5, to: 5, n: 2 }]);
    assert_eq!(histogram(&[]), []);
}
