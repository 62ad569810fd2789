//! How long ago (`k8s.io/apimachinery/pkg/util/duration`).

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The age of an object.
pub(super) fn of(object: &Value, now: i64) -> Value {
    since(&object["metadata"]["creationTimestamp"], now)
}

/// The time since an RFC 3339 timestamp; `<unknown>` where there is none.
pub(super) fn since(timestamp: &Value, now: i64) -> Value {
    match seconds(timestamp) {
        Some(then) => json!(human_duration(now - then)),
        None => json!("<unknown>"),
    }
}

/// A timestamp in seconds since 1970.
pub(super) fn seconds(timestamp: &Value) -> Option<i64> {
    OffsetDateTime::parse(timestamp.as_str()?, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}

/// Seconds as kubectl shows them: two units where they tell, one where they do not.
pub(crate) fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    match seconds {
        ..-1 => "<invalid>".into(),
        -1 => "0s".into(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 24 * 8 => two(hours / 24, "d", hours % 24, "h"),
        _ if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        _ if hours < 24 * 365 * 8 => two(hours / 24 / 365, "y", hours / 24 % 365, "d"),
        _ => format!("{}y", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_kubectl_prints_them() {
        let cases = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 300, "3h5m"),
            (9 * 3600 + 300, "9h"),
            (49 * 3600, "2d1h"),
            (20 * 86400, "20d"),
            (800 * 86400, "2y70d"),
            (9 * 365 * 86400, "9y"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(human_duration(seconds), expected, "{seconds}");
        }
    }
}
