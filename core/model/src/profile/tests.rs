use super::*;

/// One test, because there is one recorder.
#[test]
fn own_times_add_up_and_nothing_is_recorded_when_off() {
    drop(span("off", || panic!("nobody asks")));
    start();
    {
        let _outer = span("outer", || 1.0);
        for _ in 0..3 {
            let _inner = span("inner", || 2.0);
            std::thread::sleep(Duration::from_millis(4));
        }
    }
    let profile = finish().unwrap();
    assert!(finish().is_none());
    let op = |name: &str| profile.ops.iter().find(|op| op.name == name).unwrap();
    assert_eq!((op("inner").calls, op("inner").flops, op("outer").calls), (3, 6.0, 1));
    assert!(op("inner").seconds >= 0.012 && op("outer").seconds < 0.004, "{profile:?}");
    let outer = profile.events.iter().find(|event| event.name == "outer").unwrap();
    assert!((outer.duration_us * 1e-6 - op("inner").seconds - op("outer").seconds).abs() < 1e-3);
    let trace: serde_json::Value = serde_json::from_str(&profile.to_chrome_trace()).unwrap();
    assert!(
        trace["traceEvents"].as_array().unwrap().iter().any(|event| event["name"] == "outer" && event["ph"] == "X")
    );
}
