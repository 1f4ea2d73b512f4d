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

#[cfg(test)]
mod tests {
    use super::seconds;

    /// Unix times, as `date -u -d` prints them; leap years and the ends of months, years and centuries.
    #[test]
    fn dates_are_as_far_apart_as_the_calendar_has_them() {
        let since_1970 =
            |date| seconds(date)?.checked_sub(seconds("Thu, 01 Jan 1970 00:00:00 GMT")?);
        let rows = [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Fri, 31 Dec 1999 23:59:59 GMT", 946_684_799),
            ("Sat, 01 Jan 2000 00:00:00 GMT", 946_684_800),
            ("Mon, 28 Feb 2000 12:00:00 GMT", 951_739_200),
            ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Wed, 28 Feb 2001 23:59:59 GMT", 983_404_799),
            ("Thu, 01 Mar 2001 00:00:00 GMT", 983_404_800),
            ("Fri, 31 Dec 2004 01:02:03 GMT", 1_104_454_923),
            ("Fri, 31 Jul 2026 23:00:00 GMT", 1_785_538_800),
            ("Sat, 01 Aug 2026 00:00:01 GMT", 1_785_542_401),
            ("Sun, 28 Feb 2100 00:00:00 GMT", 4_107_456_000),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Tue, 29 Feb 2400 00:00:00 GMT", 13_574_563_200),
        ];
        for (date, since) in rows {
            assert_eq!(since_1970(date), Some(since), "{date}");
        }
        let leap_second = seconds("Sat, 31 Dec 2016 23:59:60 GMT");
        assert_eq!(leap_second, seconds("Sun, 01 Jan 2017 00:00:00 GMT"));
    }

    #[test]
    fn what_is_not_a_date_is_refused() {
        for date in [
            "",
            "06 Nov 1994 08:49:37 GMT", // RFC 9110 has the day of the week first
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nvo 1994 08:49:37 GMT",
            "Sun, 06 Nov 0 08:49:37 GMT",
            "Sun, 06 Nov 10000 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994",
        ] {
            assert_eq!(seconds(date), None, "{date}");
        }
    }
}
