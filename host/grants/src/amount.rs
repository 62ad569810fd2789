//! How much, as people write it: sizes, times, counts, rates.

use std::time::Duration;

use crate::error::Invalid;

/// Kubernetes' quantities, and the same with the B that others write.
const SIZES: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
];

const TIMES: [(&str, Duration); 4] = [
    ("h", Duration::from_secs(3600)),
    ("m", Duration::from_secs(60)),
    ("s", Duration::from_secs(1)),
    ("ms", Duration::from_millis(1)),
];

/// Bytes.
pub(crate) fn size(text: &str) -> Result<u64, Invalid> {
    let (digits, unit) = split(text);
    let lower = unit.to_ascii_lowercase();
    let plain = lower.strip_suffix('b').unwrap_or(&lower);
    let same = |name: &str| name.to_ascii_lowercase().trim_end_matches('b') == plain;
    let factor = match unit {
        "" | "B" | "b" => Some(1),
        // In Kubernetes m is a thousandth.
        "m" => None,
        _ => SIZES.iter().find(|(name, _)| same(name)).map(|(_, factor)| *factor),
    };
    let number = digits.parse::<u64>().ok();
    let bytes = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    positive(
        bytes,
        |bytes| *bytes > 0,
        "is no size",
        "write bytes, or a number and Ki, Mi, Gi, K, M or G, e.g. 64MiB",
    )
}

/// `1h30m`, `10s`, `500ms`; seconds where there is no unit. At most 10 years.
pub(crate) fn time(text: &str) -> Result<Duration, Invalid> {
    const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    let time = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok().map(Duration::from_secs)
    } else {
        parts(text)
    };
    let fits = |time: &Duration| !time.is_zero() && *time <= LONGEST;
    positive(time, fits, "is no time", "write a number and ms, s, m or h, e.g. 10s or 1m30s")
}

/// How many.
pub(crate) fn count(text: &str) -> Result<u32, Invalid> {
    let count = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    positive(count, |count| *count > 0, "is no number", "write a whole number from 1, e.g. 16")
}

/// How many in which time: `100/s`.
pub(crate) fn rate(text: &str) -> Result<(u32, Duration), Invalid> {
    let rate = text.split_once('/').and_then(|(number, unit)| {
        let per = TIMES.iter().find(|(name, _)| *name == unit && unit != "ms").map(|(_, per)| *per)?;
        Some((count(number).ok()?, per))
    });
    positive(rate, |_| true, "is no rate", "write how many in a second, minute or hour, e.g. 100/s or 600/m")
}

/// As [`size`] takes it, in the largest unit that leaves a whole number.
pub(crate) fn shown_size(bytes: u64) -> String {
    let whole = SIZES.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    whole.map_or_else(|| bytes.to_string(), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// As [`time`] takes it, to the millisecond.
pub(crate) fn shown_time(time: Duration) -> String {
    let (mut left, mut text) = (time.as_millis(), String::new());
    for (unit, length) in TIMES {
        let many = left / length.as_millis();
        left %= length.as_millis();
        if many > 0 {
            text.push_str(&format!("{many}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Numbers with units, the larger before the smaller.
fn parts(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut units) = (text, Duration::ZERO, TIMES.iter());
    while !rest.is_empty() {
        let (digits, tail) = split(rest);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (_, length) = units.find(|(unit, _)| *unit == &tail[..end])?;
        let part = length.checked_mul(digits.parse().ok()?)?;
        total = total.checked_add(part)?;
        rest = &tail[end..];
    }
    Some(total)
}

fn positive<T>(value: Option<T>, fits: impl Fn(&T) -> bool, problem: &str, cure: &str) -> Result<T, Invalid> {
    value.filter(fits).ok_or_else(|| Invalid::new(problem, format!("{cure}; `none` is no limit")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes, shown) in [
            ("64MiB", 64 << 20, "64MiB"),
            ("64Mi", 64 << 20, "64MiB"),
            ("64mib", 64 << 20, "64MiB"),
            ("1G", 1_000_000_000, "1GB"),
            ("1gb", 1_000_000_000, "1GB"),
            ("5k", 5_000, "5kB"),
            ("1024", 1024, "1KiB"),
            ("1025B", 1025, "1025"),
            ("1000", 1000, "1kB"),
            ("3TiB", 3 << 40, "3TiB"),
            ("18446744073709551615", u64::MAX, "18446744073709551615"),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(shown_size(bytes), shown, "{text}");
            assert_eq!(size(shown), Ok(bytes), "{shown}");
        }
        for text in [
            "",
            "0",
            "0MiB",
            "MiB",
            "-1",
            "+1",
            "1.5GiB",
            "64 MiB",
            "64m",
            "1EiB",
            "99999999999TiB",
            "BB",
            "1iB",
            "none",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, milliseconds, shown) in [
            ("10s", 10_000, "10s"),
            ("10", 10_000, "10s"),
            ("500ms", 500, "500ms"),
            ("1m30s", 90_000, "1m30s"),
            ("90s", 90_000, "1m30s"),
            ("2h", 7_200_000, "2h"),
            ("1h1m1s1ms", 3_661_001, "1h1m1s1ms"),
        ] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(time(text), Ok(expected), "{text}");
            assert_eq!(shown_time(expected), shown, "{text}");
        }
        for text in [
            "",
            "0",
            "0s",
            "s",
            "-1s",
            "1s1m",
            "1s1s",
            "1d",
            "1.5s",
            "10 s",
            "99999999999999999999s",
            "9999999999s",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_and_rates() {
        assert_eq!((count("16"), count("4294967295")), (Ok(16), Ok(u32::MAX)));
        for text in ["", "0", "-1", "+1", "1.0", "4294967296", "many"] {
            assert!(count(text).is_err(), "{text}");
        }
        let seconds = Duration::from_secs;
        for (text, expected) in [("100/s", (100, 1)), ("600/m", (600, 60)), ("1/h", (1, 3600))] {
            assert_eq!(rate(text), Ok((expected.0, seconds(expected.1))), "{text}");
        }
        for text in ["", "100", "/s", "0/s", "1/", "1/ms", "1/d", "1/1s", "100 / s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
