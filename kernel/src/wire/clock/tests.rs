use super::rfc3339;

#[test]
fn dates_follow_the_calendar() {
    assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(rfc3339(951_782_400, 5), "2000-02-29T00:00:00.000005Z");
    assert_eq!(rfc3339(1_795_291_199, 999_999), "2026-11-21T19:59:59.999999Z");
}
