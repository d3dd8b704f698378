"""Values of the first-party metrics, computed by their reference implementations.

Writes tests/fixtures/metrics/*.json, which the plugins' tests compare; some of them as golden cases into the plugins'
folders (plugins/*/golden.jsonl), which travel inside the components and are replayed wherever one is installed; and
plugins/bleu/src/unicode.rs, the character categories of the tokenizer `intl`.

    python tests/oracles/metrics.py        # needs sacrebleu, rouge_score, scikit-learn, jsonschema from PyPI
"""

import collections
import json
import random
import re
import string
from pathlib import Path

import jsonschema
import numpy
import regex
import sacrebleu
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/fixtures/metrics"

PAIRS = [
    ("The cat sat on the mat.", "The cat is sitting on the mat."),
    ("the quick brown fox jumped over the lazy dog", "The quick brown fox jumps over the lazy dog!"),
    ("It costs 1,234.50 dollars, i.e. 3-4% more (2024).", "It costs 1,234.5 dollars; that is 3-4 % more in 2024."),
    ("A dog's life, isn't it?", "An easy dog's life... is it not?"),
    ("", "Something was expected."),
    ("Something was said.", ""),
    ("", ""),
    ("one", "one"),
    ("x y z", "a b c"),
    ("New York\nis large.\nBoston is smaller.", "Boston is smaller than New York.\nNew York is large."),
    ("Ärger über die „Straße“ – naïve café", "Der Ärger über die Straße: naïve Cafés"),
    ("東京は日本の首都です。", "日本の首都は東京です。"),
    ("He said &quot;yes&quot; &amp; left <skipped> early-\nnow", 'He said "yes" & left early now'),
    ("SELECT a, b FROM t WHERE a >= 10 AND b<>'x';", "SELECT b, a FROM t WHERE a > 10 AND b <> 'x'"),
    ("the the the the", "the cat the dog"),
    ("a b a b a b a b", "b a b a b a"),
    ("running runners ran easily and happily, flying skies", "the runner runs easy and happy, flies in the sky"),
    ("Generalizations of relational conditioning are useful.", "General relations condition use generally."),
    ("12:30 on 2024-01-31, $5 €7 50%", "12.30 on 2024/01/31, 5$ 7€ 50 %"),
    ("“the”a an—the underscore_the", "the a an the underscore the"),
]


def write(name, value):
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


# SQuAD 2.0's definitions, from its description.
def squad_tokens(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def squad_f1(prediction, reference):
    found, expected = squad_tokens(prediction), squad_tokens(reference)
    common = sum((collections.Counter(found) & collections.Counter(expected)).values())
    if not found or not expected:
        return float(found == expected)
    if not common:
        return 0.0
    precision, recall = common / len(found), common / len(expected)
    return 2 * precision * recall / (precision + recall)


def f1():
    cases = []
    for prediction, reference in PAIRS + [(b, a) for a, b in PAIRS]:
        cases.append({"config": {}, "prediction": prediction, "reference": reference,
                      "f1": squad_f1(prediction, reference),
                      "exact": float(squad_tokens(prediction) == squad_tokens(reference))})
    several = ["The cat.", "a dog", "the lazy dog"]
    for prediction in ["lazy dog", "cat", "a bird", "the"]:
        scores = [(squad_f1(prediction, r), float(squad_tokens(prediction) == squad_tokens(r))) for r in several]
        best = max(scores, key=lambda score: score[0])
        cases.append({"config": {"multiple_references": True}, "prediction": prediction,
                      "reference": json.dumps(several), "f1": best[0], "exact": best[1]})
    write("f1", cases)


def corpora():
    predictions, references = [a for a, _ in PAIRS], [b for _, b in PAIRS]
    yield "all", predictions, [[b] for b in references]
    yield "same", references, [[b] for b in references]
    yield "short", ["one", "two words", "x"], [["one"], ["two words"], ["y"]]
    yield "nothing in common", ["x y z w v"], [["a b c d e"]]
    yield "longer", [a + " and then some more words" for a in predictions[:5]], [[b] for b in references[:5]]
    yield "two references", predictions[:8], [[b, a + " indeed"] for a, b in PAIRS[:8]]


def bleu():
    tokens = []
    for tokenize in ["13a", "intl", "char", "none"]:
        tokenizer = BLEU(tokenize=tokenize).tokenizer
        for line in sorted({text for pair in PAIRS for text in pair}):
            tokens.append({"tokenize": tokenize, "line": line.rstrip(), "tokens": tokenizer(line.rstrip()).split()})
    configs = [{}, {"tokenize": "intl"}, {"tokenize": "char"}, {"tokenize": "none", "lowercase": True},
               {"smooth_method": "floor", "smooth_value": 0.1}, {"smooth_method": "add-k"},
               {"smooth_method": "none"}, {"effective_order": True}]
    out = []
    for name, predictions, references in corpora():
        for config in configs:
            options = dict(config)
            metric = BLEU(**options)
            several = any(len(row) > 1 for row in references)
            score = metric.corpus_score(predictions, [list(column) for column in zip(*references)])
            stats = numpy.array(metric._extract_corpus_statistics(
                predictions, [list(column) for column in zip(*references)])).sum(axis=0)
            out.append({"name": name, "config": {**config, **({"multiple_references": True} if several else {})},
                        "predictions": predictions,
                        "references": [json.dumps(row) if several else row[0] for row in references],
                        "counts": [float(count) for count in stats], "bleu": score.score})
    write("bleu", {"sacrebleu": sacrebleu.__version__, "tokens": tokens, "corpora": out})


def chrf():
    configs = [{}, {"word_order": 2}, {"word_order": 2, "lowercase": True}, {"char_order": 3, "beta": 1},
               {"whitespace": True}]
    out = []
    for name, predictions, references in corpora():
        for config in configs:
            score = CHRF(**config).corpus_score(predictions, [list(column) for column in zip(*references)])
            several = any(len(row) > 1 for row in references)
            out.append({"name": name, "config": {**config, **({"multiple_references": True} if several else {})},
                        "predictions": predictions,
                        "references": [json.dumps(row) if several else row[0] for row in references],
                        "chrf": score.score})
    write("chrf", out)


WORDS = """caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping
tanned falling hissing fizzed failing filing happy sky relational conditional rational valency hesitancy digitizer
conformably radically differently vilely analogously vietnamization predication operator feudalism decisiveness
hopefulness callousness formality sensitivity sensibility triplicate formative formalize electricity electrical hopeful
goodness revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent
adoption homologous communism activate angularity effective bowdlerize probate rate cease controlling rolling skies dying
lying tying news innings outings cannings howe proceed exceed succeed dies died flies spied enjoy enjoyment spy fly try
theology geology archaeology biology logically hopefully fully generally generally alliance ally allies usefully singly
possibly nobly ably feebly syzygy yyyy yoyo yellow toys boys played playing player plays eed need breed freed ed ing bing
king wing thing string bowed showing fixing boxed taxi axis ion union onion region religion million session version
abcd123 x1y2ed 1234ing 2ed covid19 h2o mp3s aaaa bbbb aeiou trees tree ivy by oats trouble troubles private oaten orrery
""".split()


def rouge():
    stemmer = PorterStemmer()
    words = set(WORDS)
    for suffix in ["s", "es", "ed", "ing", "ly", "er", "ation", "ness", "ful", "able", "ies", "ied"]:
        words |= {stem + suffix for stem in ["walk", "hop", "run", "general", "relat", "happ", "bl", "us", "y", "tall"]}
    for first in "abt":
        for second in "aeiouylsxwz":
            for ending in ["ed", "ing", "y", "e", "ll", "s", "ied", "logi", "alli"]:
                words.add(first + second + ending)
                words.add("tr" + second + first + ending)
    stems = {word: stemmer.stem(word) for word in sorted(words)}
    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scores = []
    for use_stemmer in [False, True]:
        scorer = rouge_scorer.RougeScorer(kinds, use_stemmer=use_stemmer)
        for measure in ["fmeasure", "precision", "recall"]:
            for prediction, reference in PAIRS:
                found = scorer.score(reference, prediction)
                scores.append({"config": {"use_stemmer": use_stemmer, "measure": measure}, "prediction": prediction,
                               "reference": reference, **{kind: getattr(found[kind], measure) for kind in kinds}})
        several = [b for _, b in PAIRS[:4]]
        for prediction in [a for a, _ in PAIRS[:4]]:
            found = scorer.score_multi(several, prediction)
            scores.append({"config": {"use_stemmer": use_stemmer, "multiple_references": True},
                           "prediction": prediction, "reference": json.dumps(several),
                           **{kind: found[kind].fmeasure for kind in kinds}})
    write("rouge", {"stems": stems, "scores": scores})


def classification():
    generator = random.Random(5)
    cases = []
    for labels, n in [(["yes", "no"], 30), (["low", "medium", "high"], 50), (["a", "b", "c", "d", "never"], 80)]:
        seen = [label for label in labels if label != "never"]
        references = [generator.choice(seen) for _ in range(n)]
        predictions = [r if generator.random() < 0.6 else generator.choice(seen + ["unknown"]) for r in references]
        configs = [{"average": average} for average in ["macro", "micro", "weighted"]]
        configs += [{"average": "binary", "positive": label} for label in labels[:1]]
        for config in configs:
            options = {"average": config["average"], "labels": labels, "zero_division": 0}
            truth, found = references, predictions
            if config["average"] == "binary":
                options = {"average": "binary", "pos_label": True, "zero_division": 0}
                truth = [r == config["positive"] for r in references]
                found = [p == config["positive"] for p in predictions]
            precision, recall, score, _ = precision_recall_fscore_support(truth, found, **options)
            cases.append({"config": {**config, "labels": labels}, "predictions": predictions,
                          "references": references, "precision": precision, "recall": recall, "f1": score,
                          "accuracy": accuracy_score(references, predictions)})
    write("precision-recall-f1", cases)


# human-eval's estimator, from the paper's numerically stable form with numpy.
def pass_at_k():
    cases = []
    for n in [1, 2, 5, 10, 100, 200]:
        for c in sorted({0, 1, n // 3, n - 1, n}):
            for k in [1, 2, 10, 100]:
                if k <= n:
                    value = 1.0 if n - c < k else 1.0 - numpy.prod(1.0 - k / numpy.arange(n - c + 1, n + 1))
                    cases.append([n, c, k, float(value)])
    write("pass-at-k", cases)


def json_validity():
    schemas = [
        {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer",
         "minimum": 0, "maximum": 150}}, "required": ["name"], "additionalProperties": False},
        {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 1, "maxItems": 3,
         "uniqueItems": True},
        {"enum": ["a", 1, None, {"x": [1]}]}, {"const": 1.0}, {"type": ["string", "null"], "pattern": "^[a-c]+$"},
        {"anyOf": [{"type": "string"}, {"type": "number", "multipleOf": 5}]},
        {"oneOf": [{"type": "integer"}, {"minimum": 2}]}, {"allOf": [{"minimum": 2}, {"exclusiveMaximum": 9}]},
        {"not": {"type": "object"}}, {"if": {"type": "string"}, "then": {"maxLength": 2}, "else": {"type": "array"}},
        {"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}},
         "additionalProperties": False}}, "$ref": "#/$defs/node"},
        {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": {"type": "boolean"}},
        {"type": "array", "contains": {"const": 3}}, {"type": "object", "minProperties": 1, "maxProperties": 2,
         "patternProperties": {"^n_": {"type": "integer"}}, "propertyNames": {"maxLength": 4}}, True, False,
    ]
    values = [None, True, 0, 1, 1.0, 2, 5, 7.5, 10, -1, 200, "a", "", "abc", "xyz", "ü€", [], [1], [1, 1], [1, 1.0],
              [3, "x", True], [1, "x", 2], [0.5, 2, 3], [1, 2, 3, 4], {}, {"name": "x"}, {"name": ""}, {"name": "x",
              "age": 3}, {"name": "x", "age": 3.5}, {"name": "x", "age": 200}, {"name": "x", "b": 1}, {"x": [1]},
              {"next": {"next": {}}}, {"next": {"nxt": {}}}, {"n_a": 1}, {"n_a": "x"}, {"longer": 1}]
    cases = []
    for schema in schemas:
        validator = jsonschema.Draft202012Validator(schema)
        cases += [{"schema": schema, "value": value, "conforms": validator.is_valid(value)} for value in values]
    write("json-validity", cases)


def golden(plugin, cases):
    """One case per line, in the form of plugins/host/src/golden.rs."""
    lines = [json.dumps(case, ensure_ascii=False) for case in cases]
    (ROOT / "plugins" / plugin / "golden.jsonl").write_text("\n".join(lines) + "\n")


def pairs(rows):
    return [{"prediction": row["prediction"], "reference": row["reference"]} for row in rows]


def golden_cases():
    """The first vectors of each metric, and what has no score."""
    read = lambda name: json.loads((OUT / f"{name}.json").read_text())
    f1_rows = [row for row in read("f1") if not row["config"]][:12]
    golden("f1", [
        {"name": "SQuAD", "config": {}, "rows": pairs(f1_rows),
         "expect": [{"f1": row["f1"], "exact": row["exact"]} for row in f1_rows],
         "aggregate": {"f1": float(numpy.mean([row["f1"] for row in f1_rows]))}},
        {"name": "several references", "config": {"multiple_references": True},
         "rows": [{"prediction": "the cat", "reference": "[\"a dog\", \"cat\"]"}, {"prediction": "x", "reference": "[]"}],
         "expect": [{"f1": 1.0, "precision": 1.0, "recall": 1.0, "exact": 1.0}, {"error": "no-reference"}]}])
    for plugin, cases in [("bleu", read("bleu")["corpora"]), ("chrf", read("chrf"))]:
        golden(plugin, [
            {"name": f"{case['name']} {json.dumps(case['config'])}", "config": case["config"],
             "rows": [{"prediction": p, "reference": r} for p, r in zip(case["predictions"], case["references"])],
             "expect": [{}] * len(case["predictions"]), "aggregate": {plugin: case[plugin]}}
            for case in cases if case["name"] in ("short", "two references", "all")][:6])
    scores = [row for row in read("rouge")["scores"] if row["config"] == {"use_stemmer": True, "measure": "fmeasure"}]
    golden("rouge", [{"name": "with the stemmer", "config": {"use_stemmer": True}, "rows": pairs(scores[:10]),
                      "expect": [{kind: row[kind] for kind in ["rouge1", "rouge2", "rougeL", "rougeLsum"]}
                                 for row in scores[:10]]}])
    golden("precision-recall-f1", [
        {"name": json.dumps(case["config"]), "config": case["config"],
         "rows": [{"prediction": p, "reference": r} for p, r in zip(case["predictions"], case["references"])],
         "expect": [{}] * len(case["predictions"]),
         "aggregate": {name: case[name] for name in ["precision", "recall", "f1", "accuracy"]}}
        for case in read("precision-recall-f1")[:4]])
    golden("levenshtein", [
        {"name": "textbook pairs", "config": {},
         "rows": pairs([{"prediction": "kitten", "reference": "sitting"}, {"prediction": "", "reference": ""},
                        {"prediction": "flaw", "reference": "lawn"}]),
         "expect": [{"similarity": 4 / 7, "distance": 3}, {"similarity": 1, "distance": 0},
                    {"similarity": 0.5, "distance": 2}],
         "aggregate": {"character-error-rate": 5 / 11}}])
    golden("regex", [
        {"name": "a number after four hashes", "config": {"pattern": "#### (-?[0-9]+)", "compare": True},
         "rows": pairs([{"prediction": "2 + 2 #### 4", "reference": "4"}, {"prediction": "4", "reference": "4"}]),
         "expect": [{"score": 1}, {"score": 0}], "aggregate": {"score": 0.5}}])
    schema = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    golden("json-validity", [
        {"name": "a schema", "config": {"schema": schema},
         "rows": [{"prediction": '{"name": "x"}'}, {"prediction": "{}"}, {"prediction": "{"}],
         "expect": [{"valid": 1, "conforms": 1}, {"valid": 1, "conforms": 0}, {"valid": 0, "conforms": 0}]}])
    golden("bits-per-byte", [
        {"name": "four bits of two bytes", "rows": [{"loglikelihood": -4 * float(numpy.log(2)), "n-bytes": 2}],
         "expect": [{"bits": 4, "bytes": 2}], "aggregate": {"bits-per-byte": 2}}])
    golden("perplexity", [
        {"name": "eight nats of four tokens",
         "rows": [{"reference": "two words", "loglikelihood": -6.0, "n-tokens": 3, "n-bytes": 9},
                  {"reference": "one", "loglikelihood": -2.0, "n-tokens": 1, "n-bytes": 3}],
         "expect": [{}, {}], "aggregate": {"perplexity": float(numpy.exp(2.0)), "word-perplexity":
                                           float(numpy.exp(8 / 3)), "byte-perplexity": float(numpy.exp(8 / 12))}}])
    golden("multiple-choice", [
        {"name": "long and short choices",
         "rows": [{"choices": ["no", "a much longer choice"], "choice-loglikelihoods": [-4.0, -6.0], "reference": "no"},
                  {"choices": ["a", "b"], "choice-loglikelihoods": [-1.0, -2.0], "reference": "c"}],
         "expect": [{"acc": 1, "acc_norm": 0}, {"error": "unknown-answer"}]}])
    golden("pass-at-k", [
        {"name": "what cannot be judged", "config": {"k": 2},
         "rows": [{"prompt": "p", "prediction": "x", "reference": "y", "tests": "assert True"},
                  {"prompt": "q", "prediction": "x", "reference": "y", "tests": " "}],
         "expect": [{"error": "too-few-samples"}, {"error": "no-tests"}]}])


def unicode_categories():
    """Ranges of code points by category, as pairs of first and length."""
    def ranges(pattern):
        found, start = [], None
        for point in range(0x110000):
            inside = not 0xD800 <= point <= 0xDFFF and bool(pattern.match(chr(point)))
            if inside and start is None:
                start = point
            if not inside and start is not None:
                found.append((start, point - start))
                start = None
        return found

    def rust(name, doc, pairs):
        numbers = [str(number) for pair in pairs for number in pair]
        lines, line = [], "   "
        for number in numbers:
            if len(line) + len(number) + 2 > 118:
                lines.append(line)
                line = "   "
            line += f" {number},"
        return f"/// {doc}\nconst {name}: [u32; {len(numbers)}] = [\n" + "\n".join(lines + [line]) + "\n];\n"

    text = f'''//! Unicode's general categories N, P and S, as the tokenizer `intl` needs them: ranges of code points,
//! first and length. Written by tests/oracles/metrics.py from the Python package regex {regex.__version__}.

/// A general category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {{
    Number,
    Punctuation,
    Symbol,
}}

/// Whether a character is of the category.
pub(crate) fn is(c: char, category: Category) -> bool {{
    let ranges: &[u32] = match category {{
        Category::Number => &NUMBERS,
        Category::Punctuation => &PUNCTUATION,
        Category::Symbol => &SYMBOLS,
    }};
    let point = u32::from(c);
    // The number of ranges that begin at or before the character.
    let (mut low, mut high) = (0, ranges.len() / 2);
    while low < high {{
        let middle = (low + high) / 2;
        if ranges[2 * middle] <= point {{
            low = middle + 1;
        }} else {{
            high = middle;
        }}
    }}
    low > 0 && point - ranges[2 * low - 2] < ranges[2 * low - 1]
}}

'''
    tables = [("NUMBERS", "Category N.", r"\p{N}"), ("PUNCTUATION", "Category P.", r"\p{P}"),
              ("SYMBOLS", "Category S.", r"\p{S}")]
    text += "\n".join(rust(name, doc, ranges(regex.compile(pattern))) for name, doc, pattern in tables)
    (ROOT / "plugins/bleu/src/unicode.rs").write_text(text)


if __name__ == "__main__":
    f1()
    bleu()
    chrf()
    rouge()
    classification()
    pass_at_k()
    json_validity()
    golden_cases()
    unicode_categories()
