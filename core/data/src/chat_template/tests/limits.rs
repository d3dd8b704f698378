//! Templates that would run or grow without end.

use std::time::{Duration, Instant};

use crate::tokenizer::fixture::tokenizer;
use crate::{ChatTemplate, Error, Message};

fn stopped(source: &str) -> String {
    let template = ChatTemplate::from_source("hostile", source, &tokenizer(false)).unwrap();
    let begin = Instant::now();
    let error = template.render(&[Message::new("user", "q")], false).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(120), "{source}: {:?}", begin.elapsed());
    assert!(matches!(error, Error::ChatTemplate { .. }));
    error.to_string()
}

#[test]
fn loops_without_end_are_stopped() {
    let nested =
        "{% for a in range(100000) %}{% for b in range(100000) %}{% if a > b %}{% endif %}{% endfor %}{% endfor %}";
    let message = stopped(nested);
    assert!(message.contains("loop without end"), "{message}");
    stopped("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
    stopped("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}");
}

#[test]
fn text_without_end_is_stopped() {
    let doubled =
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}";
    for source in [
        doubled,
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
        "{% macro f(x, n) %}{% if n > 0 %}{{ f(x ~ x, n - 1) }}{% endif %}{% endmacro %}{{ f('aaaaaaaa', 60) }}",
        "{% for i in range(100000) %}{{ 'x' * 1000000 }}{% endfor %}",
        "{% set x %}{% for i in range(100000) %}{{ 'x' * 1000000 }}{% endfor %}{% endset %}",
        "{{ 'x' * 90000000 }}",
        "{% set x = 'x' * 60000000 %}{{ x.replace('x', x) }}",
        "{% set x = 'x' * 60000000 %}{{ x | replace('', x) }}",
        "{{ 'a'.ljust(100000000000) }}",
        "{{ 'a' | center(100000000000) }}",
        "{{ '7'.zfill(100000000000) }}",
    ] {
        let message = stopped(source);
        assert!(message.contains("larger than any prompt") || message.contains("too large"), "{source}: {message}");
    }
}

#[test]
fn lists_without_end_are_stopped() {
    let nested =
        "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}";
    stopped(nested);
    stopped(
        "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x | list | length }}",
    );
}

#[test]
fn literal_text_in_captured_loops_is_bounded() {
    let text = "x".repeat(60_000);
    let source = format!("{{% set y %}}{{% for i in range(90000) %}}{text}{{% endfor %}}{{% endset %}}");
    assert!(stopped(&source).contains("larger than any prompt"));
}

#[test]
fn long_conversations_are_within_the_limits() {
    let source = std::fs::read_to_string(super::real::fixture("qwen3.jinja")).unwrap();
    let template = ChatTemplate::from_source("qwen3", &source, &tokenizer(false)).unwrap();
    let turn = |i: usize| Message::new(["user", "assistant"][i % 2], format!("turn {i} {}", "word ".repeat(200)));
    let messages: Vec<Message> = (0..1000).map(turn).collect();
    assert!(template.render(&messages, true).unwrap().len() > 1_000_000);
}
