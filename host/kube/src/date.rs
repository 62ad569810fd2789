//! Points in time as Kubernetes writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads RFC 3339 (`2026-01-31T12:00:00Z`, with a fraction of a second or an offset), as Go's `time.Parse(time.RFC3339, …)`.
/// `None` where it is something else, or a day or an hour that does not exist.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// let noon = tidegate_kube::date::parse("1970-01-02T13:00:00.5+01:00");
/// assert_eq!(noon, Some(UNIX_EPOCH + Duration::from_millis((36 * 3600) * 1000 + 500)));
/// ```
pub fn parse(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let rest = rest.strip_prefix('T')?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let (nanoseconds, zone) = fraction(rest)?;
    let fits = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    fits.then_some(())?;
    since_1970(seconds - offset(zone)?)?.checked_add(Duration::from_nanos(nanoseconds))
}

/// This many seconds after 1970-01-01T00:00:00Z; `None` where no clock goes so far.
pub fn since_1970(seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// Writes RFC 3339 in UTC, to the second: `2026-01-31T12:00:00Z`.
///
/// ```
/// use tidegate_kube::date::{format, parse};
/// let leap = "2028-02-29T23:59:59Z";
/// assert_eq!(parse(leap).map(format).as_deref(), Some(leap));
/// ```
pub fn format(time: SystemTime) -> String {
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    };
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// `a-b-c` with so many digits each.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (number, digits) in out.iter_mut().zip(digits) {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| plain)?;
    }
    parts.next().is_none().then_some(out)
}

/// The nanoseconds of `.123`, and what follows; a longer fraction is cut.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, zone) = rest.split_at(end);
    let padded: String = digits.chars().chain("000000000".chars()).take(9).collect();
    (!digits.is_empty()).then_some((padded.parse().ok()?, zone))
}

/// The seconds by which this zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let [hours, minutes, _] = numbers(&format!("{}:00", &zone[1..]), ':', [2, 2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar; the year begins in March, so that a leap day is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The other way: year, month, day.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("2026-11-21T13:20:00Z", Some(1_795_267_200)),
            ("2026-11-21T13:20:00.999999999999Z", Some(1_795_267_200)),
            ("2026-11-21T14:20:00+01:00", Some(1_795_267_200)),
            ("2026-11-21T07:50:00-05:30", Some(1_795_267_200)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("9999-12-31T23:59:59Z", Some(253_402_300_799)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-01-00T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:60:00Z", None),
            ("2026-01-01T00:00:60Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01 00:00:00Z", None),
            ("2026-1-1T00:00:00Z", None),
            ("+026-01-01T00:00:00Z", None),
            ("2026-01-01T00:00:00+24:00", None),
            ("2026-01-01T00:00:00+1:00", None),
            ("2026-01-01T00:00:00é", None),
            ("20é6-01-01T00:00:00Z", None),
            ("", None),
        ] {
            let whole = |time: SystemTime| match time.duration_since(UNIX_EPOCH) {
                Ok(since) => since.as_secs() as i64,
                Err(before) => -(before.duration().as_secs() as i64),
            };
            assert_eq!(parse(text).map(whole), seconds, "{text}");
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in (-700_000..2_900_000).step_by(97) {
            let time = since_1970(day * 86_400 + 45_296).expect("time");
            assert_eq!(parse(&format(time)), Some(time), "{}", format(time));
        }
    }
}
