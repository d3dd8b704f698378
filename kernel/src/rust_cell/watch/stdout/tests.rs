use super::*;

fn split(chunks: &[&str]) -> Vec<Piece> {
    let mut splitter = Splitter::default();
    let mut pieces = Vec::new();
    for chunk in chunks {
        splitter.push(chunk.as_bytes(), &mut pieces);
    }
    splitter.finish(&mut pieces);
    pieces
}

fn text(text: &str) -> Piece {
    Piece::Text(text.into())
}

#[test]
fn text_does_not_wait_for_its_newline() {
    assert_eq!(split(&["50 %", "\r100 %", "\n"]), [text("50 %"), text("\r100 %"), text("\n")]);
}

#[test]
fn a_marker_after_text_without_newline_is_found() {
    assert_eq!(split(&["abcEVCXR_EXECUTION_COMPLETE\n"]), [text("abc"), Piece::Complete]);
    assert_eq!(split(&["abcEV", "CXR_PANIC_NOTIFICATION\n"]), [text("abc"), Piece::Panic]);
    assert_eq!(split(&["E", "N", "D\n"]), [text("EN"), text("D\n")]);
}

#[test]
fn content_is_taken_whole_and_in_order() {
    let pieces = split(&[
        "before\nEVCXR_BEGIN_CONTENT text/html\n<b>\n</b>\nEVCXR_END",
        "_CONTENT\nEVCXR_BEGIN_CONTENT text/plain\nx\nEVCXR_END_CONTENT\nafter\n",
    ]);
    let content = |mime: &str, content: &str| Piece::Content { mime: mime.into(), content: content.into() };
    let expected = [text("before\n"), content("text/html", "<b>\n</b>"), content("text/plain", "x"), text("after\n")];
    assert_eq!(pieces, expected);
}

#[test]
fn a_panic_inside_content_drops_it() {
    let pieces = split(&["EVCXR_BEGIN_CONTENT text/html\n<b>\nEVCXR_PANIC_NOTIFICATION\nEVCXR_EXECUTION_COMPLETE\n"]);
    assert_eq!(pieces, [Piece::Panic, Piece::Complete]);
}

#[test]
fn lines_for_evcxr_pass() {
    let line = "EVCXR_VARIABLE_CHANGED_TYPE:x";
    assert_eq!(split(&[&format!("{line}\n")]), [Piece::Control(line.into())]);
}

#[test]
fn half_a_character_waits_for_the_other_half() {
    let mut splitter = Splitter::default();
    let mut pieces = Vec::new();
    let bytes = "aé".as_bytes();
    splitter.push(&bytes[..2], &mut pieces);
    splitter.push(&bytes[2..], &mut pieces);
    assert_eq!(pieces, [text("a"), text("é")]);
}

#[test]
fn any_chunking_gives_the_same_text() {
    let whole = "one EVCXR two\nEVCXR_BEGIN_CONTENT a/b\nc\nEVCXR_END_CONTENT\nthreeEVCXR_ERROR_OCCURRED\nfour";
    let join = |pieces: Vec<Piece>| {
        let text = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            other => format!("{other:?}"),
        });
        text.collect::<String>()
    };
    let expected = join(split(&[whole]));
    for size in 1..whole.len() {
        let chunks: Vec<&str> =
            whole.as_bytes().chunks(size).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
        assert_eq!(join(split(&chunks)), expected, "chunks of {size}");
    }
}
