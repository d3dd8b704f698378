//! Turns identifiers into English words and back into number: `tbl_order_dt` → "order date",
//! `custNm` → "customer name", "city" ↔ "cities".

#[cfg(test)]
mod tests;

/// Prefixes of naming schemes that say nothing about the thing named.
const PREFIXES: &[&str] = &["tbl", "tb", "t", "dim", "fact", "fct", "vw"];

/// Abbreviations that are common in schemas; none is an English word of its own.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("acct", "account"),
    ("addr", "address"),
    ("amt", "amount"),
    ("auth", "author"),
    ("avg", "average"),
    ("bal", "balance"),
    ("bldg", "building"),
    ("cat", "category"),
    ("cnt", "count"),
    ("cntry", "country"),
    ("ctry", "country"),
    ("crs", "course"),
    ("cust", "customer"),
    ("dept", "department"),
    ("desc", "description"),
    ("descr", "description"),
    ("dist", "distance"),
    ("dob", "date of birth"),
    ("dt", "date"),
    ("dur", "duration"),
    ("emp", "employee"),
    ("fname", "first name"),
    ("hgt", "height"),
    ("instr", "instructor"),
    ("inv", "invoice"),
    ("itm", "item"),
    ("lang", "language"),
    ("len", "length"),
    ("lname", "last name"),
    ("loc", "location"),
    ("lvl", "level"),
    ("mfr", "manufacturer"),
    ("mgr", "manager"),
    ("msg", "message"),
    ("nbr", "number"),
    ("nm", "name"),
    ("num", "number"),
    ("ord", "order"),
    ("org", "organization"),
    ("pct", "percentage"),
    ("pos", "position"),
    ("prc", "price"),
    ("prd", "product"),
    ("prod", "product"),
    ("proj", "project"),
    ("pub", "publisher"),
    ("qty", "quantity"),
    ("reg", "region"),
    ("rtg", "rating"),
    ("sal", "salary"),
    ("sts", "status"),
    ("stat", "status"),
    ("stu", "student"),
    ("subj", "subject"),
    ("tchr", "teacher"),
    ("temp", "temperature"),
    ("tm", "time"),
    ("tot", "total"),
    ("typ", "type"),
    ("veh", "vehicle"),
    ("vol", "volume"),
    ("wgt", "weight"),
    ("wt", "weight"),
    ("yr", "year"),
];

/// Lower-case words of an identifier, abbreviations spelled out, empty prefixes dropped.
#[must_use]
pub fn identifier_words(identifier: &str) -> Vec<String> {
    let mut words = split_identifier(identifier);
    if words.len() > 1 && PREFIXES.contains(&words[0].as_str()) {
        words.remove(0);
    }
    words.iter().map(|word| expand(word)).collect()
}

/// The spelled-out form of an abbreviation; any other word as it is.
fn expand(word: &str) -> String {
    ABBREVIATIONS.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| long).to_owned()
}

/// Splits at `_`, spaces, dots, hyphens, and where lower case or a digit meets a capital.
fn split_identifier(identifier: &str) -> Vec<String> {
    let chars: Vec<char> = identifier.chars().collect();
    let mut words = vec![String::new()];
    for (index, &next) in chars.iter().enumerate() {
        let before = index.checked_sub(1).map(|at| chars[at]);
        let after_lower = chars.get(index + 1).is_some_and(|after| after.is_lowercase());
        let boundary = next.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || before.is_ascii_digit() || (before.is_uppercase() && after_lower)
            });
        if !next.is_alphanumeric() || boundary {
            words.push(String::new());
        }
        if next.is_alphanumeric() {
            words.last_mut().expect("starts with one word").extend(next.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// English plural of the last word of a phrase.
#[must_use]
pub fn plural(phrase: &str) -> String {
    let (head, word) = split_last(phrase);
    let ends = |suffix: &str| word.ends_with(suffix);
    let vowel_y = ["ay", "ey", "oy", "uy"].iter().any(|suffix| ends(suffix));
    let changed = match word {
        "person" => "people".to_owned(),
        "child" => "children".to_owned(),
        "man" | "woman" => word.replace("man", "men"),
        "staff" | "series" | "species" | "aircraft" => word.to_owned(),
        _ if ends("y") && !vowel_y => format!("{}ies", &word[..word.len() - 1]),
        _ if ["s", "x", "z", "ch", "sh"].iter().any(|suffix| ends(suffix)) => format!("{word}es"),
        _ => format!("{word}s"),
    };
    format!("{head}{changed}")
}

/// English singular of the last word of a phrase; a word that is no plural stays.
#[must_use]
pub fn singular(phrase: &str) -> String {
    let (head, word) = split_last(phrase);
    let cut = |n: usize| &word[..word.len() - n];
    let ends = |suffix: &str| word.len() > suffix.len() + 1 && word.ends_with(suffix);
    let changed = match word {
        "people" => "person".to_owned(),
        "children" => "child".to_owned(),
        "men" | "women" => word.replace("men", "man"),
        "series" | "species" | "news" => word.to_owned(),
        _ if ends("ies") => format!("{}y", cut(3)),
        _ if ["xes", "ches", "shes", "sses", "zes"].iter().any(|suffix| ends(suffix)) => cut(2).to_owned(),
        _ if ends("s") && !["ss", "us", "is"].iter().any(|suffix| word.ends_with(suffix)) => cut(1).to_owned(),
        _ => word.to_owned(),
    };
    format!("{head}{changed}")
}

fn split_last(phrase: &str) -> (&str, &str) {
    phrase.rfind(' ').map_or(("", phrase), |at| phrase.split_at(at + 1))
}
