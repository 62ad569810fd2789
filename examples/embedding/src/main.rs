//! A small automation platform: one script, many tenants, one process.
//!
//! ```text
//! cargo run -p embedding -- SCRIPT.wasm TENANT=KUBECONFIG …
//! ```
//!
//! Each tenant's guest may read that tenant's kubeconfig and connect to the one server that it names, and nothing else; the script is
//! compiled and linked once for all of them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use futures_util::future::join_all;
use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Kind as Transport, Options};
use tidegate::{Allocator, Cache, Engine, Output, Pooling, Script};

/// Who wants the script to run, and where.
struct Tenant {
    name: String,
    kubeconfig: PathBuf,
    server: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let script = arguments.next().context("usage: embedding SCRIPT.wasm TENANT=KUBECONFIG@HOST:PORT …")?;
    let tenants: Vec<Tenant> = arguments.map(|argument| tenant(&argument)).collect::<Result<_>>()?;

    let engine =
        Engine::builder().cache(Cache::User).allocator(Allocator::Pooling(Pooling::default())).build()?;
    let script = engine.load_file(&script).await?;
    let reports = join_all(tenants.iter().map(|tenant| run(&script, tenant))).await;
    for (tenant, report) in tenants.iter().zip(reports) {
        println!("== {}\n{}", tenant.name, report?);
    }
    Ok(())
}

fn tenant(argument: &str) -> Result<Tenant> {
    let parts = argument.split_once('=').and_then(|(name, rest)| Some((name, rest.rsplit_once('@')?)));
    let Some((name, (kubeconfig, server))) = parts else {
        bail!("{argument} is not TENANT=KUBECONFIG@HOST:PORT")
    };
    let kubeconfig = std::path::absolute(kubeconfig)?;
    Ok(Tenant { name: name.to_owned(), kubeconfig, server: server.to_owned() })
}

/// Runs the script for one tenant; what it wrote.
async fn run(script: &Script, tenant: &Tenant) -> Result<String> {
    let kubeconfig = tenant.kubeconfig.to_str().context("a path in UTF-8")?;
    let grants = Grants::builder()
        .allow(Kind::Read, Some(kubeconfig))?
        .allow(Kind::Net, Some(&tenant.server))?
        .build();
    let mut options = Options::new(format!("example-platform/0.1 ({})", tenant.name));
    options.transports = vec![Transport::KubeConfig];
    options.kubeconfig.path = Some(tenant.kubeconfig.clone());
    // What this process inherited is not the tenants'.
    let nothing: [(String, String); 0] = [];
    let (stdout, written) = Output::capture(1 << 20);
    let run = script.run().grants(grants).options(options).environment(nothing);
    let outcome = run.arguments(["--all"]).stdout(stdout).start().await?;
    Ok(format!("{}exit code {}", written.text(), outcome.exit_code()))
}
