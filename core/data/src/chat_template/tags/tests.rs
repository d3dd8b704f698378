use super::{CHECK, GENERATION, assigned, marks_generation, parameters, rewrite};

#[test]
fn generation_tags_become_calls_and_nothing_else_does() {
    let rewritten = rewrite("a{%- generation -%}b{%+ endgeneration %}c{% if x %}{{ y }}");
    assert_eq!(rewritten, format!("a{{%- call {GENERATION}() -%}}b{{%+ endcall %}}c{{% if x %}}{{{{ y }}}}"));
    for untouched in [
        "{% raw %}{% generation %}{% endraw %}",
        "{# {% generation %} #}",
        "{{ '{% generation %}' }}",
        "{{ {'a': {'b': 1}} }}{% if '%}' %}",
        "{% broken",
        "{{ 'open",
    ] {
        assert_eq!(rewrite(untouched), untouched);
        assert!(!marks_generation(untouched), "{untouched}");
    }
    assert!(marks_generation("{% raw %}{% endraw %}{%-generation%}"));
}

#[test]
fn what_grows_is_looked_at_between_a_tag_and_its_closing_sign() {
    let check = |values: &str| format!("-%}}{{%- if {CHECK}({values}) -%}}{{%- endif ");
    assert_eq!(
        rewrite("{%- set ns.x = ns.x ~ 'a=b' -%}"),
        format!("{{%- set ns.x = ns.x ~ 'a=b' {}-%}}", check("ns.x"))
    );
    assert_eq!(rewrite("{% set a, b = f(1) +%}"), format!("{{% set a, b = f(1) {}+%}}", check("a, b")));
    assert_eq!(rewrite("{% for x in y %}"), format!("{{% for x in y {}%}}", check("")));
    assert_eq!(rewrite("{% set x %}z{% endset %}"), format!("{{% set x %}}z{{% endset {}%}}", check("x")));
    assert_eq!(
        rewrite("{% set x | upper %}z{% endset %}"),
        format!("{{% set x | upper %}}z{{% endset {}%}}", check("x"))
    );
    assert_eq!(rewrite("{% macro f(a, b='(,') %}"), format!("{{% macro f(a, b='(,') {}%}}", check("a, b")));
}

#[test]
fn names_are_taken_from_lists() {
    assert_eq!(parameters(" f(a, b=g(1, 2), c=\"x, y\")"), "a, b, c");
    assert_eq!(parameters(" f()"), "");
    assert_eq!(assigned(" a = [1, 2], b = 3 "), "a, b");
}
