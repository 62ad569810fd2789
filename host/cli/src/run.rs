//! `tidegate run`.

use std::process::ExitCode;
use std::sync::Arc;

use tidegate::grants::{ConnectionPattern, Grants};
use tidegate::registry::{Configuration, Registry};
use tidegate::transport::{Event, Options};
use tidegate::{Cache, Ending, Engine, Progress, Script};

use crate::COULD_NOT_START;
use crate::connections::no_connection;
use crate::flags::{Access, CacheFlags, Connections, OutputFlags, RunFlags};
use crate::observer::ToStderr;
use crate::report::{self, Style};
use crate::signals;
use crate::watchdog::Watchdog;

pub(crate) fn run(flags: RunFlags) -> ExitCode {
    keep_what_is_freed();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return could_not_start(&error, None),
    };
    let code = runtime.block_on(guest(flags));
    // A name look-up that nobody waits for any more must not hold the process back.
    runtime.shutdown_background();
    code
}

/// Lets the allocator keep what is freed, up to 2 MiB. Out of itself glibc's gives 128 KiB back to the kernel, and fetches them again,
/// zeroed page by page, for the next piece of a list: a tenth of a list's time. It learns from what was mapped and is freed that more
/// is used again and again (mallopt(3), `M_MMAP_THRESHOLD`); nothing of this is touched.
fn keep_what_is_freed() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20)));
}

async fn guest(flags: RunFlags) -> ExitCode {
    let Access { grants, limits, configuration } = match flags.access.access(Connections::Used) {
        Ok(access) => access,
        Err(unusable) => return unusable.told(),
    };
    let engine = match engine(&flags.cache, &flags.access.output) {
        Ok(engine) => engine,
        Err(error) => return could_not_start(&error, None),
    };
    let work = async {
        let script = match engine.load_file(&flags.script).await {
            Ok(script) => script,
            Err(error) => return could_not_start(&error, error.cure()),
        };
        let observer = Arc::new(ToStderr::new(&flags.access.output));
        let options = flags.access.connect.options(&user_agent(&script), &grants, observer);
        let mut run = script.run().grants(grants.clone()).limits(limits);
        run = run.options(options.clone()).arguments(flags.arguments);
        if let Some(configuration) = &configuration {
            warn_of_typos(&options, &grants, configuration);
            run = run.connections(Registry::of(configuration, options));
        }
        let watchdog = match Watchdog::set(&limits) {
            Ok(watchdog) => watchdog,
            Err(error) => return could_not_start(&error, None),
        };
        let outcome = run.start().await;
        watchdog.ended(outcome.as_ref().map_or(COULD_NOT_START, |outcome| outcome.exit_code()));
        // What the guest opened is closed. What is left is memory, and the kernel takes that back sooner than we could.
        std::mem::forget(script);
        match outcome {
            Ok(outcome) => ended_with(outcome.ending, &flags.access.output),
            Err(error) => could_not_start(&error, error.cure()),
        }
    };
    match signals::unless_ended(&engine, work).await {
        Ok(Ok(code)) => code,
        Ok(Err(signal)) => ExitCode::from(signals::exit_code(signal)),
        Err(error) => could_not_start(&error, None),
    }
}

/// A connection that is granted and not there: the script would only say that it cannot be opened.
fn warn_of_typos(options: &Options, grants: &Grants, configuration: &Configuration) {
    for pattern in grants.allowed_connections() {
        if configuration.connections().any(|(name, _, _)| pattern.matches(name)) {
            continue;
        }
        let text = match pattern {
            ConnectionPattern::Name(name) => no_connection(configuration, name),
            ConnectionPattern::Prefix(prefix) => format!("no connection's name begins with {prefix:?}"),
        };
        options.observer.event(&Event::Warning { text: &text });
    }
}

/// An engine whose progress is shown, unless that was not wanted.
pub(crate) fn engine(cache: &CacheFlags, output: &OutputFlags) -> Result<Engine, tidegate::Error> {
    let cache = match cache {
        CacheFlags { no_cache: true, .. } => Cache::Off,
        CacheFlags { cache: Some(folder), .. } => Cache::Folder(tidegate::working_folder().join(folder)),
        _ => Cache::User,
    };
    let builder = Engine::builder().cache(cache);
    if output.quiet { builder.build() } else { builder.progress(show).build() }
}

fn show(progress: &Progress) {
    report::line(&Style::of(&std::io::stderr()).faint(&progress.to_string()));
}

/// `tidegate/<version> (<guest>)`
fn user_agent(script: &Script) -> String {
    format!("tidegate/{} ({})", env!("CARGO_PKG_VERSION"), script.name())
}

fn ended_with(ending: Ending, output: &OutputFlags) -> ExitCode {
    match &ending {
        Ending::Refused { missing } if !output.quiet => {
            let cure = match missing.as_slice() {
                [] => "`tidegate doctor` shows what each transport needs".to_owned(),
                flags => format!("run again with {}", flags.join(" ")),
            };
            report::line(&format!("{} {cure}", Style::of(&std::io::stderr()).bold("tidegate:")));
        }
        Ending::Limited(limited) => report::error(limited, Some(&limited.limit.cure())),
        Ending::Trapped(trap) => report::error(trap, None),
        _ => {}
    }
    ExitCode::from(ending.exit_code())
}

fn could_not_start(error: &dyn std::error::Error, cure: Option<&str>) -> ExitCode {
    report::error(error, cure);
    ExitCode::from(COULD_NOT_START)
}
