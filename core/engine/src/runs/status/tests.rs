use super::*;

fn here() -> Owner {
    let pid = std::process::id();
    Owner { host: "a".into(), boot_id: "b".into(), pid, process_start: os::process_start(pid).unwrap() }
}

#[test]
fn a_dead_process_an_earlier_boot_and_a_reused_id_are_not_alive() {
    let other = Owner { pid: 1, process_start: os::process_start(1).unwrap_or(0), ..here() };
    if os::process_start(1).is_some() {
        assert!(is_alive(&other, &here(), 0));
    }
    assert!(!is_alive(&Owner { boot_id: "c".into(), ..other.clone() }, &here(), 0));
    assert!(!is_alive(&Owner { process_start: u64::MAX, ..other }, &here(), 0));
    assert!(!is_alive(&here(), &here(), 0), "what this engine does not know to be live is not");
}

#[test]
fn another_machine_is_believed_until_it_has_been_silent() {
    let other = Owner { host: "elsewhere".into(), ..here() };
    assert!(is_alive(&other, &here(), SILENCE_MS - 1));
    assert!(!is_alive(&other, &here(), SILENCE_MS));
}
