//! `tidegate connections test`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate::registry::Registry;
use tidegate::transport::{Error, Options};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::COULD_NOT_START;
use crate::flags::{FileFlag, OutputFlags};
use crate::observer::ToStderr;
use crate::report::{self, Style};

/// How many servers are asked at a time.
const AT_ONCE: usize = 16;

/// Exit code: 0 where all work, else 1.
pub(super) fn run(
    file: &FileFlag,
    json: bool,
    probe_deadline: Option<Duration>,
    names: &[String],
) -> Result<ExitCode, ExitCode> {
    let configuration = super::configuration(file)?;
    let mut wanted: Vec<String> = configuration.connections().map(|(name, _, _)| name.to_owned()).collect();
    if let Some(name) = names.iter().find(|name| !wanted.contains(name)) {
        return Err(super::unknown(&configuration, name));
    }
    if !names.is_empty() {
        wanted.retain(|name| names.contains(name));
    }
    if wanted.is_empty() {
        report::line("there are no connections to test");
        return Ok(ExitCode::FAILURE);
    }
    let mut options = Options::new(format!("tidegate/{} (connections)", env!("CARGO_PKG_VERSION")));
    options.observer = Arc::new(ToStderr::new(&OutputFlags::default()));
    options.kubeconfig.working_folder = Some(tidegate::working_folder());
    options.probe_deadline = probe_deadline.unwrap_or(options.probe_deadline);
    let registry = Registry::of(&configuration, options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        report::error(&error, None);
        ExitCode::from(COULD_NOT_START)
    })?;
    let results = runtime.block_on(each(&registry, &wanted));
    runtime.shutdown_background();
    let style = Style::of(&std::io::stdout());
    let width = wanted.iter().map(|name| name.chars().count()).fold(0, usize::max);
    for result in &results {
        report::print(&if json { result.json().to_string() } else { result.shown(style, width) });
    }
    let all = results.iter().all(|result| result.verdict.is_ok());
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Tested {
    name: String,
    /// The server, or why it cannot be used.
    verdict: Result<String, Error>,
    took: Duration,
}

/// Sorted by name, as `names` are.
async fn each(registry: &Registry, names: &[String]) -> Vec<Tested> {
    let (mut running, turns) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for name in names {
        let (registry, name, turns) = (registry.clone(), name.clone(), turns.clone());
        running.spawn(async move {
            // Nobody closes it.
            let _turn = turns.acquire().await.ok();
            let start = Instant::now();
            let verdict = tidegate::connect(&registry, &name).await.map(|transport| transport.server());
            Tested { name, verdict, took: start.elapsed() }
        });
    }
    let mut results = running.join_all().await;
    results.sort_by(|a, b| a.name.cmp(&b.name));
    results
}

impl Tested {
    fn shown(&self, style: Style, width: usize) -> String {
        let name = style.bold(&format!("{:<width$}", self.name));
        let time = self.took.as_millis();
        match &self.verdict {
            Ok(server) => format!("{name}  {} {server} ({time} ms)", style.green("works:")),
            Err(error) => {
                let reason = style.red(&format!("{}:", error.code()));
                format!("{name}  {reason} {} ({time} ms)", error.report())
            }
        }
    }

    fn json(&self) -> serde_json::Value {
        let milliseconds = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        match &self.verdict {
            Ok(server) => {
                serde_json::json!({"name": self.name, "works": true, "server": server, "milliseconds": milliseconds})
            }
            Err(error) => serde_json::json!({
                "name": self.name,
                "works": false,
                "reason": error.code().as_str(),
                "detail": error.report(),
                "milliseconds": milliseconds,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use tidegate::transport::{Code, Error};

    use super::Tested;
    use crate::report::Style;

    #[test]
    fn a_line_a_connection() {
        let tested = |verdict| Tested { name: "prod".into(), verdict, took: Duration::from_millis(12) };
        let works = tested(Ok("https://10.0.0.1:6443".into()));
        expect!["prod    works: https://10.0.0.1:6443 (12 ms)"].assert_eq(&works.shown(Style::Plain, 6));
        expect![[r#"{"milliseconds":12,"name":"prod","server":"https://10.0.0.1:6443","works":true}"#]]
            .assert_eq(&works.json().to_string());
        let fails = tested(Err(Error::new(Code::Unreachable, "nobody answers")));
        expect!["prod  unreachable: nobody answers (12 ms)"].assert_eq(&fails.shown(Style::Plain, 4));
        expect![[r#"{"detail":"nobody answers","milliseconds":12,"name":"prod","reason":"unreachable","works":false}"#]]
            .assert_eq(&fails.json().to_string());
    }
}
