//! Words for invented schemas: things, qualities, and pseudo-words, so that copying an identifier is
//! learned apart from knowing it. No word of the curated shop may stand here (a test holds that).

use luthier_text_to_sql::Rng;

/// Countable things; plurals come from the plugin's rules.
pub(super) const NOUNS: &str = "account actor agency agent airline airport album animal answer apartment appointment area artist asset \
assignment athlete auction author award badge bakery band bank barn battle beach bicycle bird boat book booking branch brand bridge \
building bus cabin cable cafe camera camp campaign canal candidate captain car card cargo carrier case castle category cave channel \
chapter charity chef church cinema circuit citizen class clinic club coach coin college comet comment company competition component \
composer concert conference container contest contract convoy cook coral country county course court crew crop customs cyclist dancer \
dam deal dealer delivery department depot desert designer device diary dinner diver doctor document dog donor donation driver drone \
editor election employee engine engineer episode event exam exhibit expedition experiment factory family farm farmer ferry festival \
field fighter file film fish flight flower folder forest fossil fountain friend fund gallery game garage garden gate glacier goal grant \
grade group guest guide gym harbor hero hike hiker horse hospital host hotel house hunter incident insect island invoice issue job \
journal journey judge jury kitchen kite lab lake lamp language lawyer league lecture lesson letter library license line loan lodge \
machine magazine manager manuscript map market match mayor meal medal meeting member menu message meteor mill mine minister mission \
model monument mountain movie museum musician nation network novel nurse office officer opera orchard owner painter painting panel \
park parcel party passenger patient payment person petition pet photo phone pilot pipeline pirate planet plant plane platform player \
playlist podcast poem poet policy pond port poster prison prize problem professor program project protein pupil puzzle quarry queen \
question race railway ranger recipe record referee region reporter request researcher reservation restaurant review river road robot \
rocket room route ruler runner sailor satellite scene school scientist scooter script sculptor sculpture season seat sector seminar \
sensor series server session shelf shelter ship shipment shuttle singer skater skill snake soldier song species speaker sponsor squad \
stadium staff stage station statue storm story street student studio subject supplier surgeon survey swimmer system table tailor task \
taxi teacher team telescope temple tenant terminal test theater theory ticket tile tool tour tourist tower track tractor trail trailer \
train trainer tree trial tribe trip truck tunnel tutor user valley vehicle vendor venue vessel veteran victim video villa village \
vineyard visit visitor volcano volunteer voter voyage wagon waiter warehouse wedding well whale wheel winery winner wizard worker worm writer yacht zone zoo";

/// Qualities with few values, with the values they take.
pub(super) const CATEGORIES: &[(&str, &str)] = &[
    ("color", "red blue green black white yellow grey brown orange purple pink silver"),
    ("status", "active pending closed draft archived blocked cancelled approved rejected new"),
    ("type", "basic standard premium mixed special regular express internal external"),
    ("level", "beginner intermediate advanced expert junior senior"),
    ("genre", "drama comedy horror jazz rock pop opera fantasy crime history"),
    ("region", "north south east west central coastal alpine"),
    ("language", "English French German Spanish Italian Dutch Polish Greek Turkish Hindi"),
    ("country", "Norway Spain Brazil Kenya India Canada Chile Egypt Greece Ireland Mexico Peru Poland Turkey Vietnam"),
    ("nationality", "Danish Swedish Irish Greek Cuban Dutch Welsh Polish Thai Swiss"),
    ("city", "Oslo Madrid Lima Cairo Delhi Dublin Tokyo Boston Seville Hanoi Quito Turin Zagreb Tunis"),
    ("material", "wood steel glass stone plastic cotton copper bronze wool clay"),
    ("size", "small medium large tiny huge"),
    ("shape", "round square oval flat long"),
    ("category", "food sport music health travel science nature history fashion"),
    ("gender", "male female other"),
    ("grade", "excellent good fair poor"),
    ("priority", "low normal high urgent"),
    ("method", "cash card transfer cheque voucher"),
    ("mode", "manual automatic hybrid remote"),
    ("climate", "tropical arid mild polar humid"),
    ("department", "finance legal marketing research support design"),
    ("position", "goalkeeper defender midfielder forward captain coach"),
    ("shift", "morning evening night weekend"),
    ("season", "spring summer autumn winter"),
    ("class", "economy business first deluxe"),
    ("origin", "local imported donated rented"),
    ("habitat", "forest ocean desert river swamp meadow"),
    ("format", "paper digital audio print"),
    ("brand", "Aldora Benzo Cortex Delmar Fenwick Golto Hexa Jupra Kestrel Lumo"),
    ("state", "open sealed broken clean empty full"),
    ("role", "admin editor viewer owner guest analyst"),
    ("cuisine", "Thai Greek Indian Mexican French Korean"),
    ("religion", "none catholic hindu muslim buddhist jewish"),
    ("phase", "alpha beta final trial launch"),
];

/// Quantities with the range of their values, and whether they are whole.
pub(super) const NUMBERS: &[(&str, i64, i64, bool)] = &[
    ("cost", 5, 5000, true),
    ("fee", 5, 900, true),
    ("fare", 2, 400, true),
    ("weight", 1, 900, false),
    ("length", 1, 900, false),
    ("height", 1, 300, false),
    ("width", 1, 300, false),
    ("depth", 1, 500, false),
    ("score", 1, 100, true),
    ("age", 3, 90, true),
    ("capacity", 10, 80000, true),
    ("distance", 1, 5000, true),
    ("duration", 5, 300, true),
    ("salary", 900, 9000, true),
    ("budget", 1000, 900_000, true),
    ("population", 500, 900_000, true),
    ("rating", 1, 10, false),
    ("temperature", 1, 45, false),
    ("area", 10, 9000, true),
    ("speed", 10, 900, true),
    ("income", 500, 90000, true),
    ("balance", 10, 9000, true),
    ("credits", 1, 12, true),
    ("points", 1, 200, true),
    ("votes", 1, 9000, true),
    ("pages", 20, 900, true),
    ("seats", 10, 500, true),
    ("goals", 1, 40, true),
    ("wins", 1, 60, true),
    ("losses", 1, 60, true),
    ("rent", 200, 4000, true),
    ("tax", 1, 900, true),
    ("discount", 1, 60, true),
    ("amount", 5, 9000, true),
    ("volume", 1, 900, false),
    ("size", 1, 400, true),
    ("energy", 5, 900, true),
    ("power", 5, 900, true),
    ("altitude", 10, 8000, true),
    ("attendance", 10, 60000, true),
    ("experience", 1, 40, true),
    ("bonus", 10, 3000, true),
    ("quota", 5, 500, true),
    ("mileage", 100, 200_000, true),
    ("yield", 1, 900, true),
    ("humidity", 5, 99, true),
    ("wage", 8, 90, true),
    ("premium", 20, 3000, true),
    ("deposit", 20, 5000, true),
    ("hours", 1, 80, true),
    ("floors", 1, 90, true),
    ("views", 10, 90000, true),
    ("likes", 1, 9000, true),
    ("downloads", 10, 90000, true),
    ("members", 2, 900, true),
    ("risk", 1, 100, true),
    ("pressure", 1, 99, false),
    ("latitude", 1, 89, false),
    ("debt", 100, 90000, true),
    ("stars", 1, 5, true),
    ("absences", 1, 30, true),
    ("profit", 10, 90000, true),
];

/// Ordinals: compared, never added.
pub(super) const ORDINALS: &[(&str, i64, i64)] = &[
    ("year", 1900, 2024),
    ("rank", 1, 60),
    ("release year", 1950, 2024),
    ("birth year", 1930, 2010),
    ("floor", 1, 40),
    ("founded year", 1800, 2020),
];

/// Dates, before "date".
pub(super) const DATES: &[&str] = &[
    "start",
    "end",
    "birth",
    "hire",
    "release",
    "visit",
    "payment",
    "opening",
    "closing",
    "arrival",
    "departure",
    "issue",
    "due",
    "created",
    "updated",
    "join",
    "launch",
    "event",
];

/// Flags as adjectives.
pub(super) const FLAGS: &[&str] = &[
    "active",
    "verified",
    "public",
    "certified",
    "insured",
    "retired",
    "available",
    "licensed",
    "married",
    "solved",
    "famous",
    "electric",
    "seasonal",
    "protected",
];

/// First half of labels.
pub(super) const GIVEN_NAMES: &str = "Adam Amy Anton Bella Boris Carla Carlos Dana David Elena Emil Erik Fiona Frank Gina Hana Ivan Jana Julia Karl Laura Leo Lena Marco \
Maria Martin Nadia Nina Oscar Paul Petra Rita Robert Sara Simon Sofia Tomas Ursula Viktor Wanda Yara Zoe";

/// Adjectives a house may use for a code letter or a threshold; never the shop's own.
pub(super) const HOUSE_ADJECTIVES: &str = "gold silver basic foreign domestic urgent lapsed frozen settled hidden approved expired partial major minor heavy light cheap \
costly rare common early late busy quiet remote local fresh stale spare loose tight prime junior senior royal rural urban inner outer upper lower";

/// Nouns a house may use for a measure.
pub(super) const HOUSE_MEASURES: &str = "turnover yield workload burden spending output throughput exposure earnings coverage effort volume demand intake outlay takings";

/// A pronounceable word of two or three syllables that no dictionary has.
pub(super) fn pseudo_word(rng: &mut Rng) -> String {
    const ONSETS: &[&str] = &[
        "b", "br", "c", "d", "dr", "f", "g", "gr", "h", "j", "k", "kl", "l", "m", "n", "p", "pl", "qu", "r", "s", "sk",
        "st", "t", "tr", "v", "w", "x", "z",
    ];
    const VOWELS: &[&str] = &["a", "e", "i", "o", "u", "ai", "ou", "ea"];
    const CODAS: &[&str] = &["", "", "", "n", "r", "l", "s", "k", "m", "t", "nd", "x", "p"];
    let mut word = String::new();
    for _ in 0..rng.range(2, 3) {
        word.push_str(rng.pick::<&str>(ONSETS));
        word.push_str(rng.pick::<&str>(VOWELS));
    }
    word.push_str(rng.pick::<&str>(CODAS));
    word
}

/// Two to four letters without meaning, as old schemas have them.
pub(super) fn cryptic_word(rng: &mut Rng) -> String {
    let letters = "abcdefghijklmnoprstuvwxyz".as_bytes();
    (0..rng.range(2, 4)).map(|_| char::from(*rng.pick(letters))).collect()
}

/// First letter in capitals.
pub(super) fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
