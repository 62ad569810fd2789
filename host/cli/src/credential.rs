//! What is said of a credential: never what it is.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json as object};
use tidegate::kube::date;
use tidegate::transport::CredentialReport;

/// `exec plugin: aws, user "dev", ends 2026-11-21T15:00:00Z (in 14 min), had just now`
pub(crate) fn shown(report: &CredentialReport, now: SystemTime) -> String {
    let mut text = format!("{}: {}", report.kind, report.source);
    if let Some(end) = report.expires {
        let (word, when) = match end.duration_since(now) {
            Ok(left) => ("ends", format!("in {}", about(left))),
            Err(past) => ("ended", format!("{} ago", about(past.duration()))),
        };
        text += &format!(", {word} {} ({when})", date::format(end));
    }
    if let Some(had) = report.refreshed {
        let ago = now.duration_since(had).unwrap_or_default();
        text += &match ago.as_secs() {
            0..10 => ", had just now".to_owned(),
            _ => format!(", had {} ago", about(ago)),
        };
    }
    text
}

/// To one unit, as people say it.
fn about(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The same for programs.
pub(crate) fn json(report: &CredentialReport) -> Value {
    object!({
        "kind": report.kind.as_str(),
        "source": report.source,
        "expires": report.expires.map(date::format),
        "refreshed": report.refreshed.map(date::format),
        "missing": report.missing,
    })
}
