//! `tidegate-playground`: an in-memory Kubernetes API on a loopback port, until it is interrupted.

mod args;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use tidegate_playground::{write_private, write_service_account};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use args::Args;

/// What is not there, said at every start.
const LACKS: &str = "\
It keeps everything in memory and has no RBAC, no admission and no kubelet (no logs, exec or port-forward).
What it does and lacks: docs/playground.md";

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed("start", &error),
    };
    let code = runtime.block_on(run(args));
    // Nothing is worth waiting for: what is in flight belongs to clients that are being told to go.
    runtime.shutdown_background();
    code
}

async fn run(args: Args) -> ExitCode {
    let kubeconfig = args.kubeconfig_path();
    let quiet = args.quiet;
    let parent = args.stop_with_parent;
    let account = args.service_account_out.clone();
    let playground = match args.builder().start().await {
        Ok(playground) => playground,
        Err(error) => return failed("start the playground", &error),
    };
    if let Err(error) = write_private(&kubeconfig, &playground.kubeconfig()) {
        return failed(&format!("write {}", kubeconfig.display()), &error);
    }
    if let Some(folder) = &account
        && let Err(error) = write_service_account(folder, playground.token(), playground.ca_pem(), "default")
    {
        return failed(&format!("write {}", folder.display()), &error);
    }
    let told = if quiet {
        writeln!(io::stdout(), "{}", playground.url())
    } else {
        let (url, path) = (playground.url(), kubeconfig.display());
        let try_it = "kubectl get pods --watch";
        writeln!(
            io::stdout(),
            "tidegate playground at {url}\n{LACKS}\n\n  export KUBECONFIG={path}\n  {try_it}\n"
        )
    };
    // Nobody may be reading; the kubeconfig says the same.
    let _ = told.and_then(|()| io::stdout().flush());
    let code = ended(parent).await;
    playground.stop().await;
    code
}

/// Waits for a signal or, where that was asked for, for the parent to go.
async fn ended(with_parent: bool) -> ExitCode {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return failed("listen for signals", &io::Error::last_os_error());
    };
    tokio::select! {
        _ = interrupt.recv() => ExitCode::from(130),
        _ = terminate.recv() => ExitCode::from(143),
        () = parent_gone(), if with_parent => ExitCode::SUCCESS,
    }
}

/// Resolves when the other end of standard input is closed.
async fn parent_gone() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 256];
    while matches!(input.read(&mut buffer).await, Ok(read) if read > 0) {}
}

fn failed(what: &str, error: &dyn Error) -> ExitCode {
    let mut text = format!("error: {what}: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(125)
}
