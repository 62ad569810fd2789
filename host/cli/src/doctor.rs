//! `tidegate doctor`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};
use tidegate::transport::{Finding, Reason};

use crate::flags::{Access, Connections, DoctorFlags};
use crate::observer::ToStderr;
use crate::report::{self, Style};
use crate::{COULD_NOT_START, credential};

/// Beneath the verdict of a transport.
const INDENT: &str = "\n                ";

/// Exit code: 0 where at least one transport works, else 1.
pub(crate) fn run(DoctorFlags { access, json }: &DoctorFlags) -> ExitCode {
    let Access { grants, limits, .. } = match access.access(Connections::Unused) {
        Ok(access) => access,
        Err(unusable) => return unusable.told(),
    };
    let user_agent = format!("tidegate/{} (doctor)", env!("CARGO_PKG_VERSION"));
    let options = access.connect.options(&user_agent, &grants, Arc::new(ToStderr::new(&access.output)));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report::error(&error, None);
            return ExitCode::from(COULD_NOT_START);
        }
    };
    let findings = runtime.block_on(tidegate::diagnose(grants, &options));
    runtime.shutdown_background();
    let style = Style::of(&std::io::stdout());
    let now = SystemTime::now();
    let text = match json {
        true => as_json(&findings),
        false => {
            let limited = (!limits.is_none()).then(|| format!("{}{limits}", style.bold("Limits        ")));
            let findings = findings.iter().map(|finding| shown(style, finding, now));
            findings.chain(limited).collect::<Vec<_>>().join("\n")
        }
    };
    report::print(&text);
    let works = findings.iter().any(|finding| finding.verdict.is_ok());
    if works { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One transport: its verdict, what it came from, what to grant, and its credentials.
fn shown(style: Style, finding: &Finding, now: SystemTime) -> String {
    let credentials = finding.credentials.iter().map(|report| {
        let lacks = report.missing.iter().map(|what| format!("{INDENT}  {} {what}", style.yellow("but:")));
        format!(
            "{INDENT}{} {}{}",
            style.bold("credential:"),
            credential::shown(report, now),
            lacks.collect::<String>()
        )
    });
    verdict(style, finding) + &credentials.collect::<String>()
}

fn as_json(findings: &[Finding]) -> String {
    let list: Vec<Value> = findings.iter().map(object).collect();
    format!("{:#}", Value::Array(list))
}

fn object(finding: &Finding) -> Value {
    let credentials: Vec<Value> = finding.credentials.iter().map(credential::json).collect();
    let transport = finding.transport.as_str();
    match &finding.verdict {
        Ok(reached) => json!({
            "transport": transport,
            "works": true,
            "server": reached.server,
            "namespace": reached.default_namespace,
            "credentials": credentials,
        }),
        Err(failure) => json!({
            "transport": transport,
            "works": false,
            "reason": failure.reason.as_str(),
            "detail": failure.detail,
            "missing": failure.missing,
            "credentials": credentials,
        }),
    }
}

fn verdict(style: Style, finding: &Finding) -> String {
    let name = style.bold(&format!("{:<14}", finding.transport.to_string()));
    match &finding.verdict {
        Ok(reached) => {
            let namespace = reached.default_namespace.as_deref().unwrap_or("default");
            format!("{name}{} {}, namespace {namespace}", style.green("works:"), reached.server)
        }
        Err(failure) => {
            let verdict = format!("{}:", failure.reason.as_str());
            let verdict = match failure.reason {
                Reason::PermissionDenied | Reason::NotConfigured => style.yellow(&verdict),
                _ => style.red(&verdict),
            };
            let detail = failure.detail.replace('\n', INDENT);
            let grant = match failure.missing.as_slice() {
                [] => String::new(),
                flags => format!("{INDENT}{} {}", style.bold("grant:"), flags.join(" ")),
            };
            format!("{name}{verdict} {detail}{grant}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use expect_test::expect;
    use tidegate::transport::{CredentialKind, CredentialReport, Failure, Finding, Kind, Reached, Reason};

    use super::shown;
    use crate::report::Style;

    #[test]
    fn a_verdict_a_transport() {
        let failure = |reason, detail: &str, missing: &[&str]| {
            let missing = missing.iter().map(ToString::to_string).collect();
            Err(Failure { transport: Kind::KubeConfig, reason, detail: detail.to_owned(), missing })
        };
        let reached =
            Reached { server: "https://127.0.0.1:6443".into(), default_namespace: Some("web".into()) };
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let shown = |transport, verdict| {
            shown(Style::Plain, &Finding { transport, verdict, credentials: Vec::new() }, now)
        };
        expect!["InCluster     works: https://127.0.0.1:6443, namespace web"]
            .assert_eq(&shown(Kind::InCluster, Ok(reached)));
        expect![[r#"
            KubeConfig    permission-denied: read access to "/x"
                            grant: --allow-read=/x"#]]
        .assert_eq(&shown(
            Kind::KubeConfig,
            failure(Reason::PermissionDenied, "read access to \"/x\"", &["--allow-read=/x"]),
        ));
    }

    #[test]
    fn a_credential_is_explained_and_never_told() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = |seconds: i64| -> Option<SystemTime> {
            let distance = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 { now.checked_sub(distance) } else { now.checked_add(distance) }
        };
        for (expires, refreshed, missing, text) in [
            (None, None, &[][..], "exec plugin: aws"),
            (at(880), at(-3), &[], "exec plugin: aws, ends 1970-01-12T14:01:20Z (in 14 min), had just now"),
            (
                at(-7),
                at(-86_400),
                &[],
                "exec plugin: aws, ended 1970-01-12T13:46:33Z (7 s ago), had 24 h ago",
            ),
            (
                at(864_000),
                None,
                &["it failed"],
                "exec plugin: aws, ends 1970-01-22T13:46:40Z (in 10 days)\n  but: it failed",
            ),
        ] {
            let report = CredentialReport {
                kind: CredentialKind::ExecPlugin,
                source: "aws".to_owned(),
                expires,
                refreshed,
                missing: missing.iter().map(ToString::to_string).collect(),
            };
            let reached = Reached { server: "https://h".into(), default_namespace: None };
            let finding =
                Finding { transport: Kind::KubeConfig, verdict: Ok(reached), credentials: vec![report] };
            let shown = shown(Style::Plain, &finding, now).replace(super::INDENT, "\n");
            assert_eq!(
                shown,
                format!("KubeConfig    works: https://h, namespace default\ncredential: {text}")
            );
            let json: serde_json::Value = serde_json::from_str(&super::as_json(&[finding])).expect("JSON");
            assert_eq!(json[0]["credentials"][0]["kind"], "exec plugin");
            assert_eq!(json[0]["works"], true);
        }
    }
}
