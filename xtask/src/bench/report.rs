//! What was measured, for people and for programs.

use serde_json::{Value, json};

/// Resident memory of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    /// Before the model was loaded.
    pub(super) idle_mib: f64,
    /// The highest so far.
    pub(super) peak_mib: f64,
}

/// The frozen matrices' products alone, measured by theirs between our rounds.
#[derive(Debug)]
pub(super) struct Roofline {
    /// Their time as a share of our whole round.
    pub(super) shares: Vec<f64>,
    pub(super) gflops: Vec<f64>,
}

/// Ours against one arrangement of theirs.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) name: String,
    pub(super) variant: String,
    pub(super) note: String,
    /// Seconds per token, ours and theirs, of each round.
    pub(super) pairs: Vec<(f64, f64)>,
    pub(super) target: f64,
    pub(super) theirs: Memory,
    pub(super) roofline: Option<Roofline>,
}

/// `op, calls, ms, share, GFLOP/s` of a profiled round, the longest first.
pub(super) fn profile_text(profile: &Value) -> String {
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap_or(0.0);
    let total = number(profile, "seconds");
    let mut text = format!("   {:<28} {:>6} {:>9} {:>6} {:>8}", "op", "calls", "ms", "share", "GFLOP/s");
    for op in profile["ops"].as_array().into_iter().flatten() {
        let (seconds, flops) = (number(op, "seconds"), number(op, "flops"));
        let rate = if flops > 0.0 { format!("{:8.1}", flops / seconds / 1e9) } else { "       –".to_owned() };
        text.push_str(&format!(
            "\n   {:<28} {:>6} {:>9.2} {:>5.1}% {rate}",
            op["name"].as_str().unwrap_or_default(),
            number(op, "calls"),
            1e3 * seconds,
            100.0 * seconds / total
        ));
    }
    text
}

/// One workload.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) ours: Memory,
    pub(super) comparisons: Vec<Comparison>,
    /// Ours, op by op.
    pub(super) profile: Value,
}

/// Everything of one run.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) workloads: Vec<Measured>,
}

/// `(lowest, median, highest)`.
fn spread(values: impl IntoIterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => (f64::NAN, f64::NAN, f64::NAN),
        _ => (values[0], (values[(n - 1) / 2] + values[n / 2]) / 2.0, values[n - 1]),
    }
}

impl Comparison {
    fn ratio(&self) -> (f64, f64, f64) {
        spread(self.pairs.iter().map(|&(ours, theirs)| theirs / ours))
    }

    pub(super) fn text(&self) -> String {
        let (low, median, high) = self.ratio();
        let ours = 1.0 / spread(self.pairs.iter().map(|pair| pair.0)).1;
        let theirs = 1.0 / spread(self.pairs.iter().map(|pair| pair.1)).1;
        let verdict = if median >= self.target { "met" } else { "missed" };
        let mut text = format!(
            "{}: {median:.2} times theirs ({low:.2} to {high:.2} over {} rounds; target {} {verdict}): \
             {ours:.0} against {theirs:.0} tokens/s [{}]",
            self.name,
            self.pairs.len(),
            self.target,
            self.variant
        );
        if !self.note.is_empty() {
            text.push_str(&format!(" ({})", self.note));
        }
        if let Some(roofline) = &self.roofline {
            let (low, median, high) = spread(roofline.shares.iter().copied());
            let gflops = spread(roofline.gflops.iter().copied()).1;
            text.push_str(&format!(
                "\n   products alone take {:.0} % of our time ({:.0} to {:.0}) at {gflops:.0} GFLOP/s",
                100.0 * median,
                100.0 * low,
                100.0 * high
            ));
        }
        text
    }

    fn to_json(&self) -> Value {
        let (low, median, high) = self.ratio();
        json!({
            "against": self.name, "variant": self.variant, "note": self.note, "target": self.target,
            "ratio": {"median": median, "min": low, "max": high},
            "seconds_per_token": self.pairs,
            "theirs_memory_mib": {"idle": self.theirs.idle_mib, "peak": self.theirs.peak_mib},
            "roofline": self.roofline.as_ref().map(|r| json!({"shares": r.shares, "gflops": r.gflops})),
        })
    }
}

impl Measured {
    fn memory_text(&self, comparison: &Comparison) -> String {
        let (ours, theirs) = (self.ours, comparison.theirs);
        let excess = (ours.peak_mib - ours.idle_mib) / (theirs.peak_mib - theirs.idle_mib);
        format!(
            "   peak memory: {:.0} MiB against {:.0} MiB of {} = {:.2} (target 0.3); above idle {:.2} (target 0.5)",
            ours.peak_mib,
            theirs.peak_mib,
            comparison.name,
            ours.peak_mib / theirs.peak_mib,
            excess
        )
    }

    pub(super) fn text(&self) -> String {
        let mut lines = vec![self.title.clone()];
        for comparison in &self.comparisons {
            lines.push(format!("   {}", comparison.text()));
            lines.push(self.memory_text(comparison));
        }
        lines.join("\n")
    }
}

impl Report {
    pub(super) fn new() -> Self {
        Report { workloads: Vec::new() }
    }

    pub(super) fn text(&self) -> String {
        let parts: Vec<String> = self.workloads.iter().map(Measured::text).collect();
        format!("\nmachine: {}\n{}", machine(), parts.join("\n"))
    }

    pub(super) fn to_json(&self) -> Value {
        let workloads: Vec<Value> = self
            .workloads
            .iter()
            .map(|measured| {
                json!({
                    "name": measured.name, "title": measured.title,
                    "ours_memory_mib": {"idle": measured.ours.idle_mib, "peak": measured.ours.peak_mib},
                    "profile": measured.profile,
                    "comparisons": measured.comparisons.iter().map(Comparison::to_json).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({"version": 1, "machine": machine(), "workloads": workloads})
    }
}

/// Processor, cores and load, so that a figure does not travel without them.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    format!("{}, {cores} processors, load {load}", model.trim_start_matches([' ', '\t', ':']))
}
