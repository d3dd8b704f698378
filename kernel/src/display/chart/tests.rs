use super::{loss, sparkline, ticks};
use crate::display::number;

#[test]
fn a_sparkline_goes_from_high_to_low() {
    assert_eq!(sparkline(&[4.0, 3.0, 2.0, 1.0], 4), "█▆▃▁");
    assert_eq!(sparkline(&[1.0; 100], 5), "▁▁▁▁▁");
    assert_eq!(sparkline(&[f64::NAN], 5), "");
    assert_eq!(sparkline(&(0..1000).map(f64::from).collect::<Vec<_>>(), 8), "▁▂▃▄▅▆▇█");
}

#[test]
fn ticks_are_round_and_inside() {
    assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    assert_eq!(ticks(0.13, 0.41).len(), 3);
    assert!(ticks(1.0, 1.0).is_empty());
}

#[test]
fn a_chart_has_every_form_and_a_bounded_size() {
    let losses: Vec<(u64, f64)> = (1..20_000).map(|step| (step, 3.0 / step as f64)).collect();
    let chart = loss(&losses, &[]);
    let spec = &chart.data()["application/vnd.vegalite.v5+json"];
    assert!(spec["data"]["values"].as_array().unwrap().len() <= super::MAX_POINTS + 1);
    assert!(chart.data()["image/png"].as_str().unwrap().len() < 60_000);
    assert!(chart.plain().starts_with("loss  3.000 █"), "{}", chart.plain());
}

#[test]
fn evaluations_are_a_curve_of_their_own() {
    let losses: Vec<(u64, f64)> = (1..=100).map(|step| (step, 3.0 / step as f64)).collect();
    let evaluations = [(50, 0.4), (100, 0.25)];
    let chart = loss(&losses, &evaluations);
    let spec = &chart.data()["application/vnd.vegalite.v5+json"];
    assert_eq!(spec["layer"].as_array().unwrap().len(), 3);
    assert_eq!(spec["layer"][2]["data"]["values"][1]["evaluation"], 0.25);
    let ends = format!("evaluation {} → {}", number::loss(0.4), number::loss(0.25));
    assert!(chart.plain().ends_with(&ends), "{}", chart.plain());
    let without = loss(&losses, &[]);
    assert_eq!(without.data()["application/vnd.vegalite.v5+json"]["layer"].as_array().unwrap().len(), 2);
    assert_ne!(without.data()["image/png"], chart.data()["image/png"]);
}

#[test]
fn losses_that_are_not_numbers_do_not_break_it() {
    for losses in
        [vec![], vec![(1, f64::NAN)], vec![(1, 2.0)], vec![(1, 0.0), (2, 0.0)], vec![(1, f64::INFINITY), (2, -3.0)]]
    {
        assert!(loss(&losses, &losses).data().contains_key("image/png"));
    }
}
