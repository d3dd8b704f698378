use crate::tokenizer::fixture::{CHATML, prompter};
use crate::{AnswerFrame, Error, Message};

fn question() -> Vec<Message> {
    vec![Message::new("user", "How many orders are open?")]
}

fn frame(template: Option<&str>, answer: &str) -> Result<AnswerFrame, Error> {
    let prompter = prompter(template, false);
    let rendered = prompter.render(&question()).unwrap();
    prompter.answer_frame(&question(), &rendered, answer)
}

#[test]
fn bos_is_added_once_or_not_at_all() {
    let ids = |template: Option<&str>, adds_bos: bool| {
        let prompter = prompter(template, adds_bos);
        prompter.encode(&prompter.render(&question()).unwrap()).unwrap()
    };
    let count = |ids: Vec<u32>| ids.iter().filter(|id| **id == 0).count();
    // No template: as tokenizer.json says.
    assert_eq!(count(ids(None, true)), 1);
    assert_eq!(count(ids(None, false)), 0);
    // A template says it itself.
    assert_eq!(count(ids(Some("{{ bos_token }}{{ messages[0].content }}"), true)), 1);
    assert_eq!(count(ids(Some(CHATML), true)), 0);
    let plain = prompter(None, true);
    assert_eq!(count(plain.encode("<s>User: a").unwrap()), 1);
}

#[test]
fn the_end_of_a_turn_is_what_the_template_writes_after_the_answer() {
    let expected = |lead: &str, end: &str, needs_eos| AnswerFrame { lead: lead.into(), end: end.into(), needs_eos };
    assert_eq!(frame(Some(CHATML), "42").unwrap(), expected("", "<|im_end|>", false));
    assert_eq!(frame(None, "42").unwrap(), expected(" ", "", true));
    let mistral = "{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% else %} {{ m.content|trim }}{{ eos_token }}{% endif %}{% endfor %}";
    assert_eq!(frame(Some(mistral), "42").unwrap(), expected(" ", "</s>", false));
    assert_eq!(frame(Some(mistral), " 42\n").unwrap(), expected("", "</s>", false));
    let textual = "{% for m in messages %}### {{ m.role }}\n{{ m.content }}\n### End\n\n{% endfor %}{% if add_generation_prompt %}### assistant\n{% endif %}";
    assert_eq!(frame(Some(textual), "42").unwrap(), expected("", "\n### End", true));
    let thinking = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    assert_eq!(frame(Some(thinking), "42").unwrap(), expected("", "<|im_end|>", false));
}

#[test]
fn a_template_whose_prompt_is_no_prefix_is_refused() {
    let error =
        frame(Some("{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}"), "42").unwrap_err();
    assert!(matches!(&error, Error::ChatTemplate { template, .. } if template == "test"), "{error}");
    assert!(error.to_string().contains("must begin with the rendered prompt"), "{error}");
    let swallows = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}";
    assert!(frame(Some(swallows), "42").unwrap_err().to_string().contains("does not contain the answer"));
}

#[test]
fn generation_ends_at_the_end_of_turn_too() {
    assert_eq!(prompter(Some(CHATML), false).stop_ids(), [1, 3]);
    assert_eq!(prompter(None, false).stop_ids(), [1]);
    assert_eq!(prompter(None, false).stop_strings(), ["\nUser:"]);
    assert!(prompter(Some(CHATML), false).stop_strings().is_empty());
}

#[test]
fn the_fingerprint_covers_template_and_tokenizer() {
    let of = |template, adds_bos| prompter(template, adds_bos).fingerprint();
    assert_eq!(of(Some(CHATML), false), of(Some(CHATML), false));
    assert_ne!(of(Some(CHATML), false), of(None, false));
    assert_ne!(of(Some(CHATML), false), of(Some(CHATML), true));
}
