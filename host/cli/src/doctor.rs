//! `tidegate doctor`.

use std::process::ExitCode;
use std::sync::Arc;

use tidegate::transport::{Finding, Reason};

use crate::COULD_NOT_START;
use crate::flags::{AccessFlags, Connections};
use crate::observer::ToStderr;
use crate::report::{self, Style};

/// Exit code: 0 where at least one transport works, else 1.
pub(crate) fn run(flags: &AccessFlags) -> ExitCode {
    let (grants, _) = match flags.config.grants(&flags.grants, Connections::Unused) {
        Ok(grants) => grants,
        Err(unusable) => return unusable.told(),
    };
    let user_agent = format!("tidegate/{} (doctor)", env!("CARGO_PKG_VERSION"));
    let options = flags.connect.options(&user_agent, &grants, Arc::new(ToStderr::new(&flags.output)));
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
    let text: Vec<String> = findings.iter().map(|finding| shown(style, finding)).collect();
    report::print(&text.join("\n"));
    let works = findings.iter().any(|finding| finding.verdict.is_ok());
    if works { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One transport: its verdict, what it came from, and what to grant.
fn shown(style: Style, finding: &Finding) -> String {
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
            let detail = failure.detail.replace('\n', "\n                ");
            let grant = match failure.missing.as_slice() {
                [] => String::new(),
                flags => format!("\n                {} {}", style.bold("grant:"), flags.join(" ")),
            };
            format!("{name}{verdict} {detail}{grant}")
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use tidegate::transport::{Failure, Finding, Kind, Reached, Reason};

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
        let shown = |transport, verdict| shown(Style::Plain, &Finding { transport, verdict });
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
}
