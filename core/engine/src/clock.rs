//! The engine's only clock. Everything that needs the time is handed one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time for records, monotonic time for durations.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    origin_ms: u64,
}

impl Clock {
    /// Read the system's clocks once; wall time follows the monotonic clock from here, so records
    /// of one engine never go backwards.
    pub fn system() -> Self {
        #[allow(clippy::disallowed_methods, reason = "this is the clock type")]
        let (origin, wall) = (Instant::now(), SystemTime::now());
        let origin_ms = wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        Clock { origin, origin_ms }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn unix_ms(&self) -> u64 {
        self.origin_ms + self.origin.elapsed().as_millis() as u64
    }

    /// Now, as RFC 3339 in UTC with seconds: `2026-11-21T20:15:00Z`.
    pub fn timestamp(&self) -> String {
        rfc3339(self.unix_ms() / 1000)
    }

    /// A stopwatch, started.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch { clock: *self, started: self.origin.elapsed() }
    }
}

/// Measures a duration.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    clock: Clock,
    started: Duration,
}

impl Stopwatch {
    /// Seconds since it was started.
    pub fn seconds(&self) -> f64 {
        (self.clock.origin.elapsed() - self.started).as_secs_f64()
    }
}

/// Seconds since 1970 as a date of the proleptic Gregorian calendar, counted in 400-year eras of
/// 146 097 days that begin on 1 March (so that the leap day is the last of its year).
fn rfc3339(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let shifted = days + 719_468; // days from 0000-03-01 to 1970-01-01
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153; // 0 is March
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests;
