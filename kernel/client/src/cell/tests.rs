use super::*;

#[test]
fn outside_a_notebook_a_status_goes_nowhere() {
    status("step 1/2");
    assert!(CHANNEL.get().is_none());
}

#[test]
fn messages_keep_their_form() {
    let panic = Panic { message: "m".into(), file: "src/lib.rs".into(), line: 3, column: 5, on_cell_thread: true };
    let mut wire = Vec::new();
    frame::write(&mut wire, &FromCell::Panicked(panic.clone())).unwrap();
    let back: FromCell = frame::read(&mut wire.as_slice()).unwrap().unwrap();
    assert_eq!(back, FromCell::Panicked(panic));
}
