//! Porter's stemmer (An algorithm for suffix stripping, 1980) with the extensions that NLTK turns on by
//! default, which is what `rouge_score` uses. Words are lower-case ASCII letters and digits.

/// Words with a stem of their own.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// Suffix and replacement, for stems with a positive measure.
const STEP_2: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
];

const STEP_3: [(&str, &str); 7] =
    [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

/// Suffixes dropped from stems with a measure above one.
const STEP_4: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
];

/// The stem of a word.
pub(crate) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == word) {
        return (*stem).to_owned();
    }
    if word.len() <= 2 {
        return word.to_owned();
    }
    let word = step_1a(word);
    let word = step_1b(&word);
    let word = step_1c(&word);
    let word = step_2(&word);
    let word = replace_first(&word, &STEP_3, |stem| measure(stem) > 0);
    let word = step_4(&word);
    let word = step_5a(&word);
    step_5b(&word)
}

fn step_1a(word: &str) -> String {
    if word.len() == 4
        && let Some(stem) = word.strip_suffix("ies")
    {
        return format!("{stem}ie");
    }
    replace_first(word, &[("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")], |_| true)
}

fn step_1b(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ied") {
        return format!("{stem}{}", if word.len() == 4 { "ie" } else { "i" });
    }
    if let Some(stem) = word.strip_suffix("eed") {
        return if measure(stem) > 0 { format!("{stem}ee") } else { word.to_owned() };
    }
    let stripped =
        ["ed", "ing"].iter().filter_map(|suffix| word.strip_suffix(suffix)).find(|stem| contains_vowel(stem));
    let Some(stem) = stripped else { return word.to_owned() };
    if ["at", "bl", "iz"].iter().any(|suffix| stem.ends_with(suffix)) {
        return format!("{stem}e");
    }
    if ends_double_consonant(stem) {
        let keeps_both = stem.ends_with(['l', 's', 'z']);
        return if keeps_both { stem.to_owned() } else { stem[..stem.len() - 1].to_owned() };
    }
    if measure(stem) == 1 && ends_consonant_vowel_consonant(stem) { format!("{stem}e") } else { stem.to_owned() }
}

fn step_1c(word: &str) -> String {
    match word.strip_suffix('y') {
        Some(stem) if stem.len() > 1 && is_consonant(stem.as_bytes(), stem.len() - 1) => format!("{stem}i"),
        _ => word.to_owned(),
    }
}

fn step_2(word: &str) -> String {
    // First, and then all over again with what results.
    if let Some(stem) = word.strip_suffix("alli").filter(|stem| measure(stem) > 0) {
        return step_2(&format!("{stem}al"));
    }
    // The `l` of `logi` counts as a part of the stem, so that `theologi` loses its ending.
    let has_rule = STEP_2.iter().any(|(suffix, _)| word.ends_with(suffix));
    match word.strip_suffix("logi") {
        Some(stem) if !has_rule => {
            if measure(&word[..word.len() - 3]) > 0 {
                format!("{stem}log")
            } else {
                word.to_owned()
            }
        }
        _ => replace_first(word, &STEP_2, |stem| measure(stem) > 0),
    }
}

fn step_4(word: &str) -> String {
    let Some((suffix, stem)) = STEP_4.iter().find_map(|suffix| Some((*suffix, word.strip_suffix(suffix)?))) else {
        return word.to_owned();
    };
    let fits = measure(stem) > 1 && (suffix != "ion" || stem.ends_with(['s', 't']));
    if fits { stem.to_owned() } else { word.to_owned() }
}

fn step_5a(word: &str) -> String {
    let Some(stem) = word.strip_suffix('e') else { return word.to_owned() };
    match measure(stem) {
        0 => word.to_owned(),
        1 if ends_consonant_vowel_consonant(stem) => word.to_owned(),
        _ => stem.to_owned(),
    }
}

fn step_5b(word: &str) -> String {
    if word.ends_with("ll") && measure(&word[..word.len() - 1]) > 1 {
        return word[..word.len() - 1].to_owned();
    }
    word.to_owned()
}

/// The first suffix that fits decides: replaced if its stem does, else the word stays as it is.
fn replace_first(word: &str, rules: &[(&str, &str)], fits: impl Fn(&str) -> bool) -> String {
    for (suffix, replacement) in rules {
        if let Some(stem) = word.strip_suffix(suffix) {
            return if fits(stem) { format!("{stem}{replacement}") } else { word.to_owned() };
        }
    }
    word.to_owned()
}

/// A letter other than a, e, i, o, u, and other than a y after a consonant.
fn is_consonant(word: &[u8], position: usize) -> bool {
    consonants(&word[..=position]).last().copied().unwrap_or(true)
}

fn consonants(word: &[u8]) -> Vec<bool> {
    let mut flags: Vec<bool> = Vec::with_capacity(word.len());
    for letter in word {
        let flag = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => flags.last().is_none_or(|before| !before),
            _ => true,
        };
        flags.push(flag);
    }
    flags
}

/// How often a vowel is followed by a consonant.
fn measure(stem: &str) -> usize {
    consonants(stem.as_bytes()).windows(2).filter(|pair| !pair[0] && pair[1]).count()
}

fn contains_vowel(stem: &str) -> bool {
    consonants(stem.as_bytes()).contains(&false)
}

fn ends_double_consonant(stem: &str) -> bool {
    let letters = stem.as_bytes();
    let n = letters.len();
    n >= 2 && letters[n - 1] == letters[n - 2] && is_consonant(letters, n - 1)
}

/// Ends consonant, vowel, consonant, the last of which is not w, x or y; or is vowel, consonant.
fn ends_consonant_vowel_consonant(stem: &str) -> bool {
    let flags = consonants(stem.as_bytes());
    match flags.as_slice() {
        [false, true] => true,
        [.., true, false, true] => !stem.ends_with(['w', 'x', 'y']),
        _ => false,
    }
}
