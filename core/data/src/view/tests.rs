use luthier_protocol::spec::OnTooLong;

use super::shown_tokens;
use crate::tokenizer::fixture::{CHATML, prompter};
use crate::{ExampleBuilder, Message};

#[test]
fn shows_every_token_and_what_is_learned() {
    let prompter = prompter(Some(CHATML), false);
    let builder =
        ExampleBuilder { prompter, max_seq_len: 99, loss_on: Default::default(), on_too_long: OnTooLong::Error };
    let messages = [Message::new("user", "hi é")];
    let example = builder.build(&messages, "SELECT 1").unwrap();
    let shown = shown_tokens(&example, &builder.prompter.tokenizer);
    assert_eq!(shown.len(), example.input_ids.len());
    let text: String = shown.iter().filter(|token| token.target).map(|token| token.text.as_str()).collect();
    assert_eq!(text, "SELECT 1<|im_end|>");
    assert!(shown[0].special && shown[0].text == "<|im_start|>" && !shown[0].target);
    assert!(shown.last().unwrap().special && shown.last().unwrap().target);
}
