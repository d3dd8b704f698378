//! Between the plain Rust traits and the generated component glue. Only in a guest.

mod convert;
mod imports;
mod metric;
mod row_metric;
mod template;

pub use imports::{Capabilities, WithSql, WithoutSql, log, run_program};
pub use metric::{MetricGuest, Session};
pub use row_metric::RowMetricGuest;
pub use template::{Pipeline, TemplateGuest};

/// A panic ends in the trap `unreachable`; its message would be lost without a log line before it.
fn report_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| imports::log(crate::log::Level::Error, &info.to_string())));
    });
}
