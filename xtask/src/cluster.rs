//! A real control plane for hands.

use std::process::ExitCode;

use tidegate_cluster::{Cluster, Options, Tools};

use crate::say::Failure;

/// `cargo xtask cluster up [NODES]|down|kubeconfig`.
pub(crate) fn run(words: &[&str]) -> Result<ExitCode, Failure> {
    match words {
        ["up"] => up(1),
        ["up", nodes] => up(nodes.parse().map_err(|_| Failure::usage(format!("{nodes} is no number of nodes")))?),
        ["down"] => Ok(Cluster::stop_detached().map(|()| ExitCode::SUCCESS)?),
        ["kubeconfig"] => {
            println!("{}", Cluster::detached_kubeconfig()?.display());
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Failure::usage("cargo xtask cluster up [NODES] | down | kubeconfig".into())),
    }
}

fn up(nodes: usize) -> Result<ExitCode, Failure> {
    let tools = Tools::ensure(&mut |line| eprintln!("  {line}"))?;
    let kubeconfig = Cluster::start_detached(&tools, Options::everything().nodes(nodes))?;
    println!("export KUBECONFIG={}", kubeconfig.display());
    Ok(ExitCode::SUCCESS)
}
