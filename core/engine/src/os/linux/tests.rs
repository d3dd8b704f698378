use super::*;

#[test]
fn the_machine_is_described() {
    assert!(!processor_name().is_empty());
    assert!(memory_bytes() > 1 << 20);
    assert!((1 << 18..memory_bytes()).contains(&resident_bytes()));
    assert!(!boot_id().is_empty() && !host_name().is_empty());
}

#[test]
fn a_process_is_named_by_its_start() {
    let me = std::process::id();
    assert!(process_start(me).unwrap() > 0);
    assert_eq!(process_start(me), process_start(me));
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    assert_eq!(process_start(pid), None);
}

#[test]
fn kibibytes_need_their_unit() {
    assert_eq!(kibibytes("16 kB"), Some(16384));
    assert_eq!(kibibytes("16"), None);
}
