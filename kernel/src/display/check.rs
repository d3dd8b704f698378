//! The training invariances, measured.

use luthier_protocol::response::TrainingCheck;

use super::{MimeBundle, Table, lists::titled, number};

/// `%check training`.
pub fn training(check: &TrainingCheck) -> MimeBundle {
    let mut table = Table::new(["", "invariance", "#measured", "#allowed", "unit", "what was compared"]);
    for line in &check.checks {
        let cells = [
            if line.passed { "ok" } else { "FAILED" }.to_owned(),
            line.name.clone(),
            amount(line.measured),
            amount(line.tolerance),
            line.unit.clone(),
            line.detail.clone(),
        ];
        if line.passed { table.row(cells) } else { table.strong_row(cells) }
    }
    let n_failed = check.checks.iter().filter(|line| !line.passed).count();
    let verdict = match n_failed {
        0 => format!("all {} hold", check.checks.len()),
        n => format!("{n} of {} do not hold", check.checks.len()),
    };
    let title = format!(
        "Training {} on {} ({} rows, {} steps each): {verdict} ({})",
        check.model,
        check.data,
        check.n_rows,
        check.n_steps,
        number::seconds(check.seconds)
    );
    titled(&title, &table, &title)
}

fn amount(value: f64) -> String {
    if value == 0.0 || (value >= 1.0 && value.fract() == 0.0 && value < 1e9) {
        return format!("{value:.0}");
    }
    format!("{value:.1e}")
}
