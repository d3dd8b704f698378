use luthier_protocol::FailureKind;

use super::*;
use crate::outbox::{MAX_WAITING_EVENTS, Unwritten};

#[test]
fn a_call_answers_once() {
    let (outbox, inbox) = Outbox::new(Unwritten::default());
    let call = Call::new(7, outbox, false);
    assert!(call.begin());
    call.finish(Ok(Response::Done));
    call.finish(Ok(Response::Done));
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox.recv().unwrap().id, 7);
}

#[test]
fn a_waiting_call_ends_when_it_is_cancelled_and_never_begins() {
    let (outbox, inbox) = Outbox::new(Unwritten::default());
    let call = Call::new(1, outbox, false);
    call.cancel();
    assert!(!call.begin());
    let EngineBody::Error { failure } = inbox.recv().unwrap().body else { panic!("no failure") };
    assert_eq!(failure.kind, FailureKind::Interrupted);
}

#[test]
fn a_slow_client_loses_events_but_no_result() {
    let (outbox, inbox) = Outbox::new(Unwritten::default());
    let call = Call::new(1, outbox, false);
    assert!(call.begin());
    (0..MAX_WAITING_EVENTS + 10).for_each(|_| call.warn("x"));
    call.finish(Ok(Response::Done));
    let bodies: Vec<_> = inbox.try_iter().map(|message| message.body).collect();
    assert_eq!(bodies.len(), MAX_WAITING_EVENTS + 1);
    assert!(matches!(bodies.last(), Some(EngineBody::Result { .. })));
}

#[test]
fn abandoned_calls_stop_and_runs_go_on() {
    let (outbox, _inbox) = Outbox::new(Unwritten::default());
    let calls = Calls::default();
    let ask = Call::new(1, outbox.clone(), false);
    let run = Call::new(2, outbox.clone(), true);
    calls.add(&ask).unwrap();
    calls.add(&run).unwrap();
    assert_eq!(calls.add(&Call::new(2, outbox, true)), Err(Refused::Duplicate));
    calls.abandon();
    assert!(ask.cancel_token().load(Ordering::SeqCst));
    assert!(!run.cancel_token().load(Ordering::SeqCst));
    calls.cancel_all();
    assert!(run.cancel_token().load(Ordering::SeqCst));
}
