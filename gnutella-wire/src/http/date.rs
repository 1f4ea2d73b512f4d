//! Dates in headers (RFC 9110, 5.6.7): only differences are used, so no clock is needed.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since the first of January of the year 0. The day
/// of the week is ignored.
pub(super) fn seconds(date: &str) -> Option<u64> {
    let (_, date) = date.split_once(',')?;
    let mut words = date.split_ascii_whitespace();
    let day = number(words.next()?, 1, 31)?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    let month = u64::try_from(month).ok()?.saturating_add(1);
    let year = number(words.next()?, 1, 9_999)?;
    let mut clock = words.next()?.splitn(3, ':');
    let hours = number(clock.next()?, 0, 23)?;
    let minutes = number(clock.next()?, 0, 59)?;
    let leap_second = 60;
    let rest = number(clock.next()?, 0, leap_second)?;
    let hours = days(year, month, day).saturating_mul(24).saturating_add(hours);
    Some(hours.saturating_mul(60).saturating_add(minutes).saturating_mul(60).saturating_add(rest))
}

fn number(digits: &str, least: u64, most: u64) -> Option<u64> {
    super::range::number(digits).filter(|number| (least..=most).contains(number))
}

/// Counts the days of the Gregorian calendar; the year begins in March, so that the leap day is last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year.saturating_sub(1) } else { year };
    let month = month.saturating_add(9) % 12;
    let leap_days = (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    let of_months = month.saturating_mul(153).saturating_add(2) / 5;
    year.saturating_mul(365).saturating_add(leap_days).saturating_add(of_months).saturating_add(day)
}
