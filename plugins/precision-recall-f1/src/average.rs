//! From sums of counts by label to one number.

use luthier_plugin::Error;

use crate::MAX_LABELS;

/// Names of averages, as in scikit-learn.
pub(crate) const NAMES: [&str; 4] = ["macro", "micro", "weighted", "binary"];

/// How labels are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Average {
    /// The mean over so many labels, those without a row included.
    Macro(usize),
    /// All counts together.
    Micro,
    /// The mean over so many labels, weighted by their rows.
    Weighted(usize),
    /// One label alone.
    Binary(usize),
}

/// What is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Precision,
    Recall,
    F1,
}

impl Measure {
    pub(crate) fn named(output: &str) -> Option<Self> {
        match output {
            "precision" => Some(Measure::Precision),
            "recall" => Some(Measure::Recall),
            "f1" => Some(Measure::F1),
            _ => None,
        }
    }

    fn of(self, [tp, fp, fn_]: [f64; 3]) -> f64 {
        let (over, under) = match self {
            Measure::Precision => (tp, tp + fp),
            Measure::Recall => (tp, tp + fn_),
            Measure::F1 => (2.0 * tp, 2.0 * tp + fp + fn_),
        };
        if under == 0.0 { 0.0 } else { over / under }
    }
}

/// `sums` are true positives, false positives and false negatives, label by label.
pub(crate) fn average(measure: Measure, average: Average, sums: &[f64]) -> Result<f64, Error> {
    if sums.len() != 3 * MAX_LABELS {
        return Err(Error::Internal(format!("{} sums, expected {}", sums.len(), 3 * MAX_LABELS)));
    }
    let labels: Vec<[f64; 3]> = sums.chunks_exact(3).map(|counts| [counts[0], counts[1], counts[2]]).collect();
    let mean = |n: usize, weight: fn(&[f64; 3]) -> f64| {
        let total: f64 = labels[..n].iter().map(weight).sum();
        let weighted: f64 = labels[..n].iter().map(|counts| weight(counts) * measure.of(*counts)).sum();
        if total == 0.0 { 0.0 } else { weighted / total }
    };
    Ok(match average {
        Average::Macro(n) => mean(n, |_| 1.0),
        Average::Weighted(n) => mean(n, |[tp, _, fn_]| tp + fn_),
        Average::Binary(label) => measure.of(labels[label]),
        Average::Micro => {
            let sum = |count: usize| labels.iter().map(|counts| counts[count]).sum();
            measure.of([sum(0), sum(1), sum(2)])
        }
    })
}
