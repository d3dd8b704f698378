//! A metric of sums that does to its host what `behavior` in its configuration says: in `reduce`, when it is dropped,
//! and with the programs that it runs. `good` reduces sums to their first number.

use luthier_plugin::exec::{self, ExecBudget};
use luthier_plugin::json::Value;
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Output, columns_batch, export_metric,
};

/// The opened metric.
pub struct Reducer {
    behavior: String,
}

impl Metric for Reducer {
    fn describe() -> MetricDescriptor {
        let sums = Aggregation::Sufficient(vec!["length".to_owned()]);
        let output = Output::new("length", "sum of lengths", sums);
        MetricDescriptor::with_outputs("reducer", "0.1.0", "misbehaves with sums", &["prediction"], vec![output])
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let behavior = config.get("behavior").and_then(Value::as_str).unwrap_or("good").to_owned();
        Ok(Self { behavior })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        if self.behavior == "exec-flood" {
            return Err(Error::Internal(exec_flood()));
        }
        let predictions = rows.utf8("prediction")?;
        let scores: Vec<_> = (0..rows.rows).map(|row| Ok(vec![predictions.text(row).len() as f64])).collect();
        Ok(columns_batch(&["length"], &scores))
    }

    fn reduce(&mut self, _output: &str, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let firsts = || sums.iter().map(|sums| sums.first().copied().unwrap_or(0.0));
        match self.behavior.as_str() {
            "loop-in-reduce" => endless_loop(),
            "panic-in-reduce" => panic!("no sums today"),
            "too-few-values" => Ok(firsts().skip(1).collect()),
            "too-many-values" => Ok(firsts().chain([1.0]).collect()),
            "nan-values" => Ok(firsts().map(|_| f64::NAN).collect()),
            "refuse" => Err(Error::Internal("\u{1b}[2Jno".to_owned())),
            _ => Ok(firsts().collect()),
        }
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        if self.behavior == "loop-in-drop" {
            endless_loop();
        }
    }
}

export_metric!(Reducer);

/// Programs until the host has enough: how many, and what it said.
fn exec_flood() -> String {
    let greedy = ExecBudget { fuel: u64::MAX, memory_bytes: u32::MAX, output_bytes: u32::MAX };
    let mut n_programs = 0u32;
    loop {
        match exec::run("python", "while True: pass", "", greedy) {
            Ok(_) => n_programs += 1,
            Err(error) => return format!("{n_programs} programs, then: {error}"),
        }
    }
}

fn endless_loop() -> ! {
    let mut i = 0u64;
    loop {
        i = std::hint::black_box(i.wrapping_add(1));
    }
}
