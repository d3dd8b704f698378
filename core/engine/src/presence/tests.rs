use super::*;

const SHORT: Duration = Duration::from_millis(1);

#[test]
fn an_idle_engine_is_unneeded_and_a_busy_one_is_not() {
    let presence = Presence::new(Clock::system());
    presence.wait_until_unneeded(SHORT, || false);

    let presence = Presence::new(Clock::system());
    let connection = presence.connection();
    let asked = std::cell::Cell::new(0);
    presence.wait_until_unneeded(SHORT, || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    });
    assert_eq!(asked.get(), 4, "an open connection keeps it");
    drop(connection);
    presence.wait_until_unneeded(SHORT, || false);
}

#[test]
fn a_leaving_engine_takes_no_work_and_finishes_what_it_has() {
    let presence = Presence::new(Clock::system());
    let _connection = presence.connection();
    let work = presence.work().unwrap();
    presence.leave();
    assert!(presence.work().is_none());
    let finisher = std::thread::spawn(move || drop(work));
    presence.wait_until_unneeded(Duration::from_secs(3600), || false);
    finisher.join().unwrap();
}
