//! What stands beside figures: the machine and the day.

use std::time::{SystemTime, UNIX_EPOCH};

/// Names the processor, the number of threads that it runs at once, the instruction sets that matter, and the day.
pub fn description() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim())
    };
    let model = field("model name").unwrap_or("an unknown processor");
    let flags = field("flags").unwrap_or_default();
    let sets = [("avx2", "AVX2"), ("avx512f", "AVX-512"), ("sha_ni", "SHA")];
    let has = |flag: &str| flags.split_whitespace().any(|other| other == flag);
    let sets: Vec<_> = sets.iter().filter(|(flag, _)| has(flag)).map(|(_, name)| *name).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {threads} threads, {}, {}", sets.join(" "), today())
}

/// Returns the day in UTC as year, month and day with dashes.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    format!("{year}-{month:02}-{day:02}")
}

/// Returns year, month and day of a number of days since 1970.
fn date(mut days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    months[1] += u64::from(is_leap(year));
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    (year, month + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates_in_leap_years_too() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(19_782), (2024, 2, 29));
        assert_eq!(date(20_454), (2026, 1, 1));
    }
}
