//! A metric that does to its host what `behavior` in its configuration says, so that a test can
//! assert the exact error and that the host still works. `good` scores every row 1.

use luthier_plugin::json::Value;
use luthier_plugin::{
    Batch, Budget, Column, Context, Databases, Error, Float64Column, Issue, Metric, MetricDescriptor, Utf8Column,
    export_metric, log,
};

/// The opened metric.
pub struct Hostile {
    behavior: String,
    databases: Box<dyn Databases>,
    rows_seen: usize,
}

impl Metric for Hostile {
    fn describe() -> MetricDescriptor {
        MetricDescriptor::proportion("hostile", "0.1.0", "misbehaves \u{1b}[31mon purpose", &["prediction"])
    }

    fn open(config: Value, _context: Context, databases: Box<dyn Databases>) -> Result<Self, Error> {
        let behavior = config.get("behavior").and_then(Value::as_str).unwrap_or("good").to_owned();
        match behavior.as_str() {
            "loop-in-open" => endless_loop(),
            "refuse-config" => {
                let message = "no \u{1b}]0;title\u{7}such \u{202e}thing".to_owned();
                return Err(Error::InvalidConfig(vec![Issue { pointer: "/behavior".to_owned(), message }]));
            }
            _ => {}
        }
        Ok(Self { behavior, databases, rows_seen: 0 })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let n = rows.rows;
        self.rows_seen += n;
        match self.behavior.as_str() {
            "loop" => endless_loop(),
            "memory-bomb" => memory_bomb(),
            "recursion" => return Ok(scores((0..n).map(|row| recurse(row as u64 + 1) as f64))),
            "large-frames" => return Ok(scores((0..n).map(|row| recurse_with_ballast(row as u64 + 1) as f64))),
            "panic" => panic!("row {} is not to my taste", self.rows_seen),
            "log-flood" => (0..100_000).for_each(|i| log::info(&format!("line {i} \u{1b}[2J{}", "x".repeat(10_000)))),
            "handle-flood" => return self.handle_flood(n),
            "sql-flood" => return self.sql_flood(),
            "ungranted" => {
                return Err(Error::Internal(
                    self.databases.open("secret").map_or_else(|e| e.to_string(), |_| String::new()),
                ));
            }
            "refuse" => return Err(Error::Internal("\u{1b}[2Jno".to_owned())),
            _ => {}
        }
        Ok(self.result(n))
    }
}

export_metric!(Hostile, sql);

impl Hostile {
    /// Batches that are wrong in one way each.
    fn result(&self, n: usize) -> Batch {
        let ones = || std::iter::repeat_n(1.0, n);
        let error_column = |column| scores(ones()).with("error", Column::Utf8(column));
        match self.behavior.as_str() {
            "too-few-rows" => scores(ones().skip(1)),
            "lying-row-count" => Batch { rows: n, ..scores(ones().skip(1)) },
            "no-column" => Batch::new(n),
            "extra-column" => scores(ones()).with_texts("surprise", std::iter::repeat_n("!", n)),
            "column-twice" => scores(ones()).with("score", Column::Float64(ones().map(Some).collect())),
            "wrong-type" => Batch::new(n).with_texts("score", std::iter::repeat_n("1", n)),
            "ipc" => Batch::new(n).with("score", Column::Ipc(vec![0xff; 64])),
            "nan" => scores(ones().map(|_| f64::NAN)),
            "infinite" => scores(ones().map(|_| f64::INFINITY)),
            "out-of-bounds" => scores(ones().map(|_| 1.5)),
            "null-without-error" => Batch::new(n).with("score", Column::Float64((0..n).map(|_| None).collect())),
            "falling-offsets" => {
                error_column(Utf8Column { offsets: offsets(n, &[0, 3, 1]), bytes: vec![b'a'; 3], validity: None })
            }
            "offsets-past-the-end" => {
                error_column(Utf8Column { offsets: offsets(n, &[0, 1, 900]), bytes: vec![b'a'; 3], validity: None })
            }
            "bytes-past-the-offsets" => {
                error_column(Utf8Column { offsets: offsets(n, &[0, 1, 2]), bytes: vec![b'a'; 3], validity: None })
            }
            "first-offset" => {
                error_column(Utf8Column { offsets: offsets(n, &[1, 2, 3]), bytes: vec![b'a'; 3], validity: None })
            }
            "too-few-offsets" => error_column(Utf8Column { offsets: vec![0, 3], bytes: vec![b'a'; 3], validity: None }),
            "invalid-utf8" => error_column(Utf8Column {
                offsets: offsets(n, &[0, 1, 3]),
                bytes: vec![b'a', 0xff, 0xfe],
                validity: None,
            }),
            "split-character" => error_column(Utf8Column {
                offsets: offsets(n, &[0, 1, 2]),
                bytes: "ä".as_bytes().to_vec(),
                validity: None,
            }),
            "short-validity" => Batch::new(n)
                .with("score", Column::Float64(Float64Column { values: ones().collect(), validity: Some(Vec::new()) })),
            "huge-result" => scores(std::iter::repeat_n(1.0, 20_000_000)),
            "state" => scores((0..n).map(|row| ((self.rows_seen - n + row) % 2) as f64)),
            _ => scores(ones()),
        }
    }

    fn handle_flood(&self, n: usize) -> Result<Batch, Error> {
        let mut opened = Vec::new();
        loop {
            match self.databases.open("db") {
                Ok(database) => opened.push(database),
                Err(error) => {
                    return Err(Error::Internal(format!("{} opened for {n} rows, then {error}", opened.len())));
                }
            }
        }
    }

    fn sql_flood(&self) -> Result<Batch, Error> {
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let database = self.databases.open("db").map_err(|error| Error::Internal(error.to_string()))?;
        let greedy = Budget { vm_steps: u64::MAX, max_rows: u32::MAX, max_bytes: u32::MAX };
        let mut last = String::new();
        for _ in 0..50 {
            last = database.query(endless, greedy).map_or_else(|error| error.to_string(), |_| "done".to_owned());
        }
        Err(Error::Internal(last))
    }
}

fn scores(values: impl Iterator<Item = f64>) -> Batch {
    let column: Float64Column = values.map(Some).collect();
    Batch::new(column.values.len()).with("score", Column::Float64(column))
}

/// The first offsets as given, the rest like the last, for `n` rows.
fn offsets(n: usize, first: &[u32]) -> Vec<u32> {
    let last = first.last().copied().unwrap_or(0);
    first.iter().copied().chain(std::iter::repeat(last)).take(n + 1).collect()
}

fn endless_loop() -> ! {
    let mut i = 0u64;
    loop {
        i = std::hint::black_box(i.wrapping_add(1));
    }
}

fn memory_bomb() {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

/// The rotation keeps the compiler from making a loop of it.
fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { recurse(depth + 1).rotate_left(3) ^ depth }
}

fn recurse_with_ballast(depth: u64) -> u64 {
    let ballast = std::hint::black_box([depth; 512]);
    if depth == u64::MAX { 0 } else { recurse_with_ballast(depth + 1).wrapping_add(ballast[3]) }
}
