//! The attacks, line by line. An error that ends in `…` is the beginning of one.

/// One line of the document.
pub(crate) struct Line {
    pub(crate) group: &'static str,
    pub(crate) attack: &'static str,
    pub(crate) contained: Contained,
}

/// How it ends.
pub(crate) enum Contained {
    /// A guest of `tests/guests/attacks/`.
    Guest { guest: &'static str, error: &'static str },
    /// A component in the text format.
    Component { name: &'static str, text: fn() -> String, error: &'static str },
    /// Bytes made of a good component's.
    Bytes { name: &'static str, bytes: fn(&[u8]) -> Vec<u8>, error: &'static str },
    /// A test of another file.
    Elsewhere { file: &'static str, test: &'static str, ends: &'static str },
}

const fn guest(group: &'static str, attack: &'static str, guest: &'static str, error: &'static str) -> Line {
    Line { group, attack, contained: Contained::Guest { guest, error } }
}

const fn elsewhere(
    group: &'static str,
    attack: &'static str,
    file: &'static str,
    test: &'static str,
    ends: &'static str,
) -> Line {
    Line { group, attack, contained: Contained::Elsewhere { file, test, ends } }
}

const fn component(
    group: &'static str,
    attack: &'static str,
    name: &'static str,
    text: fn() -> String,
    error: &'static str,
) -> Line {
    Line { group, attack, contained: Contained::Component { name, text, error } }
}

const fn bytes(
    group: &'static str,
    attack: &'static str,
    name: &'static str,
    bytes: fn(&[u8]) -> Vec<u8>,
    error: &'static str,
) -> Line {
    Line { group, attack, contained: Contained::Bytes { name, bytes, error } }
}

const TIME: &str = "Time";
const SPACE: &str = "Space";
const VALUES: &str = "Values";
const BINARY: &str = "Binary";
const POLICY: &str = "Policy";
const RECOVERY: &str = "Recovery";

const REDUCE: &str = "plugins/host/src/tests/reduce.rs";
const CHEATS: &str = "plugins/host/src/tests/cheats.rs";
const SETS: &str = "plugins/host/src/exec/tests/sets.rs";
const HOSTILE: &str = "plugins/host/src/tests/hostile.rs";
const AUDIT: &str = "plugins/host/src/tests/audit.rs";
const COLUMNS: &str = "plugins/host/src/columns/tests.rs";
const EXEC: &str = "plugins/host/src/exec/tests.rs";
const SQL: &str = "plugins/host/src/sql/tests.rs";
const ATTACKS: &str = "plugins/host/tests/attacks.rs";

fn many_instances() -> String {
    let instances: String = (0..100).map(|i| format!("(core instance $i{i} (instantiate $m))\n")).collect();
    format!("(core module $m (memory 1))\n{instances}{}", exports())
}

/// The two functions, from a module of their own.
fn exports() -> String {
    r#"(core module $own
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
            (func (export "describe") (result i32) i32.const 0)
            (func (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32) i32.const 512))
        (core instance $own (instantiate $own))
        (func $describe (result string)
            (canon lift (core func $own "describe") (memory (core memory $own "memory")) (realloc (core func $own "realloc"))))
        (func $score-row (param "prediction" string) (param "reference" string) (param "config" string)
            (result (result f64 (error $error)))
            (canon lift (core func $own "score-row") (memory (core memory $own "memory")) (realloc (core func $own "realloc"))))
        (export "describe" (func $describe))
        (export "score-row" (func $score-row))"#
        .to_owned()
}

pub(crate) const LINES: &[Line] = &[
    guest(
        TIME,
        "endless loop in describe",
        "loop-in-describe",
        "plugin `sha256:…`: describe is out of fuel after 50000000 (limit 50000000)",
    ),
    elsewhere(
        TIME,
        "endless loop in open and in score",
        HOSTILE,
        "endless_loops_run_out_of_fuel",
        "out of fuel after 500000000",
    ),
    guest(
        TIME,
        "endless loop in score-row",
        "loop-in-score",
        "plugin `attack`: open is out of fuel after 50000000 (limit 50000000)",
    ),
    guest(
        TIME,
        "endless loop in cabi_realloc",
        "loop-in-realloc",
        "plugin `attack`: open is out of fuel after 50000000 (limit 50000000)",
    ),
    guest(
        TIME,
        "endless loop in post-return",
        "loop-in-post-return",
        "plugin `sha256:…`: describe is out of fuel after 50000000 (limit 50000000)",
    ),
    guest(
        TIME,
        "endless loop in the start function",
        "loop-in-start",
        "plugin `sha256:…`: describe is out of fuel after 50000000 (limit 50000000)",
    ),
    guest(
        TIME,
        "flood of bulk memory operations",
        "bulk-memory-flood",
        "plugin `attack`: open is out of fuel after 50000000 (limit 50000000)",
    ),
    elsewhere(
        TIME,
        "just under and just over the limit",
        ATTACKS,
        "a_limit_of_fuel_is_exact",
        "one unit of fuel decides",
    ),
    elsewhere(
        TIME,
        "a catastrophic pattern in Python",
        EXEC,
        "what_a_sandbox_has_not_is_refused_and_what_is_too_much_ends",
        "out-of-fuel",
    ),
    elsewhere(
        TIME,
        "endless loop in reduce",
        REDUCE,
        "a_reduce_that_misbehaves_is_an_error_with_its_fault",
        "reduce is out of fuel",
    ),
    elsewhere(
        TIME,
        "endless loop in a resource's drop",
        REDUCE,
        "a_guest_has_no_say_in_its_end",
        "the store is discarded; the guest is not asked",
    ),
    elsewhere(
        TIME,
        "floods of programs",
        REDUCE,
        "a_flood_of_programs_ends_with_the_calls_fuel",
        "the programs of this call have used up what they have together",
    ),
    elsewhere(TIME, "floods of log lines", HOSTILE, "a_log_flood_is_cut", "200 lines are kept"),
    elsewhere(
        TIME,
        "floods of queries and handles",
        HOSTILE,
        "floods_of_handles_and_queries_are_limited",
        "a budget of steps, 64 databases",
    ),
    elsewhere(
        TIME,
        "a call that fuel does not end",
        HOSTILE,
        "the_backstop_ends_what_fuel_does_not",
        "the run is invalid",
    ),
    elsewhere(TIME, "a person interrupts", HOSTILE, "a_person_can_interrupt", "interrupted"),
    guest(
        SPACE,
        "memory grows without end",
        "memory-grow-bomb",
        "plugin `attack`: open asked for 67174400 bytes of memory (limit 67108864)",
    ),
    guest(
        SPACE,
        "a huge memory to begin with",
        "huge-initial-memory",
        "plugin `sha256:…`: describe asked for 3932160000 bytes of memory (limit 67108864)",
    ),
    guest(
        SPACE,
        "several memories",
        "several-memories",
        "not a valid WebAssembly component: failed to parse WebAssembly module: multiple memories…",
    ),
    guest(
        SPACE,
        "a table grows",
        "table-grow-bomb",
        "plugin `attack`: open is out of fuel after 50000000 (limit 50000000)",
    ),
    guest(
        SPACE,
        "a huge table to begin with",
        "huge-initial-table",
        "plugin does not fit the world row-metric: table minimum size of 1000000000 elements exceeds table limits",
    ),
    component(
        SPACE,
        "many instances and memories",
        "a hundred instances",
        many_instances,
        "plugin does not fit the world row-metric: resource limit exceeded: instance count too high at 65",
    ),
    guest(
        SPACE,
        "a huge string",
        "huge-string",
        "plugin `sha256:…`: describe trapped: too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted",
    ),
    elsewhere(SPACE, "a huge result", HOSTILE, "a_huge_result_is_not_copied", "a limit of 64 MiB"),
    guest(SPACE, "deep recursion", "deep-recursion", "plugin `attack`: open overflowed its stack of 524288 bytes"),
    guest(
        SPACE,
        "recursion in cabi_realloc",
        "recursion-in-realloc",
        "plugin `attack`: open overflowed its stack of 524288 bytes",
    ),
    elsewhere(SPACE, "memory, frames and panics", HOSTILE, "memory_and_stacks_are_limited", "named limits"),
    elsewhere(
        VALUES,
        "wrong numbers of rows; missing, extra, duplicate columns; wrong types; offsets; validity",
        HOSTILE,
        "wrong_batches_are_refused_with_their_fault",
        "each fault by name",
    ),
    elsewhere(VALUES, "any buffers at all", COLUMNS, "any_buffers_are_an_error_or_a_batch", "an error or a batch"),
    elsewhere(
        VALUES,
        "too few, too many or invalid values of reduce",
        REDUCE,
        "a_reduce_that_misbehaves_is_an_error_with_its_fault",
        "each fault by name",
    ),
    guest(VALUES, "text in UTF-16", "utf-16", "attack: [Score(1.0), Score(1.0), Score(1.0)] (s)"),
    guest(
        VALUES,
        "text that is not UTF-8",
        "invalid-utf8",
        "plugin `sha256:…`: describe trapped: invalid utf-8 sequence of 1 bytes from index 4",
    ),
    guest(VALUES, "NaN", "nan", "plugin `attack`: score returned NaN at row 0; expected finite scores"),
    guest(VALUES, "infinity", "infinity", "plugin `attack`: score returned inf at row 0; expected finite scores"),
    guest(
        VALUES,
        "a score out of bounds",
        "out-of-bounds",
        "plugin `attack`: score returned 2 at row 0; expected scores from 0 to 1",
    ),
    guest(
        VALUES,
        "a case that a variant does not have",
        "bad-discriminant",
        "plugin `attack`: open trapped: invalid expected discriminant",
    ),
    guest(
        VALUES,
        "a case that an error does not have",
        "bad-error-discriminant",
        "plugin `attack`: open trapped: unexpected discriminant: 70",
    ),
    guest(
        VALUES,
        "cabi_realloc points out of range",
        "realloc-out-of-range",
        "plugin `attack`: open trapped: realloc return: beyond end of memory",
    ),
    guest(
        VALUES,
        "a result out of range",
        "result-out-of-range",
        "plugin `attack`: open trapped: pointer out of bounds of memory",
    ),
    guest(
        VALUES,
        "a result that is not aligned",
        "result-unaligned",
        "plugin `attack`: open trapped: return pointer not aligned",
    ),
    guest(
        VALUES,
        "a string out of range",
        "string-out-of-range",
        "plugin `sha256:…`: describe trapped: string pointer/length out of bounds of memory",
    ),
    guest(
        VALUES,
        "half a character in JSON",
        "lone-surrogate",
        "plugin `sha256:…`: describe returned unexpected end of hex escape at line 1 column 34; expected JSON",
    ),
    guest(
        VALUES,
        "JSON of a thousand levels",
        "deep-json",
        "plugin `sha256:…`: describe returned 1000 levels (limit 64); expected JSON",
    ),
    guest(
        VALUES,
        "JSON of a hundred thousand levels",
        "deep-json-100000",
        "plugin `sha256:…`: describe returned 100000 levels (limit 64); expected JSON",
    ),
    guest(
        VALUES,
        "a pattern of exponential time in a schema",
        "schema-regex",
        "attack: [Score(1.0), Score(1.0), Score(1.0)] (s)",
    ),
    guest(
        VALUES,
        "a number that no float holds",
        "huge-number",
        "plugin `sha256:…`: describe returned number out of range at line 1 column 29; expected JSON",
    ),
    guest(VALUES, "duplicate keys", "duplicate-keys", "attack: [Score(1.0), Score(1.0), Score(1.0)] (s)"),
    guest(VALUES, "a schema that refers to itself", "schema-bomb", "attack: [Score(1.0), Score(1.0), Score(1.0)] (s)"),
    elsewhere(
        VALUES,
        "JSON too long or too deep in a column",
        COLUMNS,
        "json_is_checked_for_form_size_and_depth",
        "limits by name",
    ),
    elsewhere(
        VALUES,
        "Arrow streams: truncated, trailing bytes, dictionaries, several batches",
        COLUMNS,
        "hostile_streams_are_refused",
        "each fault by name",
    ),
    elsewhere(
        VALUES,
        "Arrow streams with flipped bits",
        COLUMNS,
        "flipped_bits_in_streams_are_an_error_or_a_column",
        "an error or a column",
    ),
    bytes(
        BINARY,
        "a truncated component",
        "half of it",
        |good| good[..good.len() / 2].to_vec(),
        "not a valid WebAssembly component: unexpected end-of-file…",
    ),
    bytes(
        BINARY,
        "a duplicated section",
        "its second half twice",
        |good| [good, &good[8..]].concat(),
        "not a valid WebAssembly component: failed to parse WebAssembly module: import name `luthier:plugin/data@0.1.0` conflicts with previous name `luthier:plugin/data@0.1.0`…",
    ),
    bytes(
        BINARY,
        "no WebAssembly",
        "a script",
        |_| b"#!/bin/sh\nrm -rf /\n".to_vec(),
        "not a valid WebAssembly component: magic header not detected: bad magic number…",
    ),
    bytes(
        BINARY,
        "a core module",
        "an empty module",
        |_| b"\0asm\x01\0\0\0".to_vec(),
        "this is a core WebAssembly module that exports no plugin: …",
    ),
    bytes(
        BINARY,
        "larger than components may be",
        "33 MiB of zeros",
        |_| vec![0; 33 << 20],
        "plugin of 34603008 bytes: the limit is 33554432 bytes",
    ),
    component(
        BINARY,
        "nested components",
        "an import in a nested component",
        || format!("(component (import \"wasi:cli/run@0.2.0\" (instance))) {}", exports()),
        "plugin `sha256:…`: describe returned EOF while parsing a value at line 1 column 0; expected JSON",
    ),
    elsewhere(
        BINARY,
        "flipped, cut, moved and duplicated bytes",
        ATTACKS,
        "mutants_are_refused_or_run_and_never_more",
        "refused, or run within limits",
    ),
    elsewhere(BINARY, "WASI", AUDIT, "wasi_is_refused_in_the_authors_words", "the imports by name, and what to do"),
    elsewhere(
        BINARY,
        "other imports, worlds and versions",
        AUDIT,
        "other_imports_and_versions_are_refused",
        "each by name",
    ),
    elsewhere(
        BINARY,
        "the right names with wrong types",
        AUDIT,
        "the_right_names_with_wrong_types_do_not_fit",
        "does not fit the world",
    ),
    elsewhere(
        BINARY,
        "bombs of custom sections",
        "plugins/host/src/package/tests.rs",
        "bombs_of_sections_and_cases_are_refused",
        "limits by name",
    ),
    elsewhere(
        BINARY,
        "a forged or moved signature",
        "plugins/host/src/package/tests.rs",
        "a_signature_is_that_of_the_bytes_before_it",
        "the signature is not that of these bytes",
    ),
    elsewhere(
        BINARY,
        "a poisoned cache",
        "plugins/host/src/cache/tests.rs",
        "a_file_that_others_write_or_that_is_a_link_is_not_used",
        "compiled anew",
    ),
    guest(
        POLICY,
        "escape sequences, markup and reversed text in a summary",
        "hidden-characters",
        "attack: [Score(1.0), Score(1.0), Score(1.0)] (red <script>alert(1)</script> evil)",
    ),
    guest(
        POLICY,
        "an id that is a path",
        "bad-name",
        "plugin `sha256:…`: describe returned `../../etc/passwd`; expected an id of letters, digits, `-`, `_` and `.`",
    ),
    elsewhere(POLICY, "escape sequences in errors", HOSTILE, "text_for_people_has_no_escapes", "plain text"),
    elsewhere(POLICY, "SQL that writes, attaches or loads", SQL, "everything_else_is_denied_by_name", "denied"),
    elsewhere(
        POLICY,
        "programs that open files, sockets or processes",
        EXEC,
        "what_a_sandbox_has_not_is_refused_and_what_is_too_much_ends",
        "denied",
    ),
    elsewhere(
        POLICY,
        "SQL on a name that was not granted",
        HOSTILE,
        "floods_of_handles_and_queries_are_limited",
        "denied: database `secret` is not granted; granted: db",
    ),
    elsewhere(
        POLICY,
        "programs from within programs",
        EXEC,
        "an_interpreter_that_imports_is_refused",
        "an interpreter has no imports to call",
    ),
    elsewhere(
        POLICY,
        "predictions that write to the database",
        CHEATS,
        "a_prediction_that_writes_is_wrong_and_changes_nothing",
        "0, and the file is what it was",
    ),
    elsewhere(
        POLICY,
        "queries without end, on both sides",
        CHEATS,
        "a_query_without_end_ends_and_is_never_right",
        "0, and no score where the reference is one",
    ),
    elsewhere(POLICY, "other order, lost duplicates", CHEATS, "order_and_duplicates_count", "0"),
    elsewhere(POLICY, "an error beside an empty reference result", CHEATS, "an_error_is_not_an_empty_result", "0"),
    elsewhere(POLICY, "a wrong reference", CHEATS, "a_wrong_reference_is_no_score", "gold-error: no score"),
    elsewhere(POLICY, "empty tables", CHEATS, "an_empty_table_does_not_make_every_aggregate_equal", "0 is not NULL"),
    elsewhere(
        POLICY,
        "mutated programs",
        SETS,
        "the_templates_solutions_pass_and_their_mutants_fail",
        "each solution passes, each mutant fails",
    ),
    elsewhere(
        POLICY,
        "a busy machine",
        SETS,
        "verdicts_and_fuel_are_the_same_on_three_runs_under_load",
        "the same verdicts, the same fuel",
    ),
    elsewhere(POLICY, "programs that cheat their tests", EXEC, "cheats_fail", "failed"),
    elsewhere(
        POLICY,
        "state between rows",
        ATTACKS,
        "state_between_rows_is_found_by_its_golden_cases",
        "the golden case does not hold",
    ),
    elsewhere(
        POLICY,
        "equal programs, unequal fuel",
        EXEC,
        "equal_programs_take_equal_fuel_and_share_nothing",
        "equal to the unit",
    ),
    guest(
        RECOVERY,
        "a trap",
        "trap",
        "plugin `attack`: open trapped: wasm trap: wasm `unreachable` instruction executed",
    ),
    elsewhere(
        RECOVERY,
        "a store is not used after a trap",
        HOSTILE,
        "an_instance_ends_with_its_first_trap",
        "open the plugin again",
    ),
    elsewhere(
        RECOVERY,
        "after each of these",
        ATTACKS,
        "every_attack_is_contained_and_the_host_works_on",
        "the next plugin works, no thread is left, memory is back",
    ),
];
