//! The command line: what may be said, and what it means.

mod config;
mod connect;
mod grant;
mod limit;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use config::{Access, ConfigFlags, Connections, ConnectionsCommand, ConnectionsFlags, FileFlag};
pub(crate) use connect::ConnectFlags;
pub(crate) use grant::GrantFlags;
pub(crate) use limit::LimitFlags;

/// Runs sandboxed WebAssembly scripts against Kubernetes.
///
/// A script is a WebAssembly component in any language. It holds no socket, no file and no credential: it is given transports
/// to a cluster, and only those that you grant here.
#[derive(Parser, Debug)]
#[command(name = "tidegate", version, after_help = EXAMPLES, infer_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  A Kubernetes API to try things on, no cluster needed:
      tidegate playground
  Which transports would work here, and what each needs:
      tidegate doctor
  Through kubectl, with all that it may do:
      tidegate run --allow-run=kubectl pods.wasm
  Through your kubeconfig, and no other server:
      tidegate run --allow-env=HOME,KUBECONFIG --allow-read=$HOME/.kube \\
          --allow-net=10.0.0.1:6443 pods.wasm -- -n web
  What a script imports, before you run it:
      tidegate inspect pods.wasm

Exit codes: the script's own; 2 usage; 124 it reached a limit;
125 tidegate could not start it; 126 it ended on a refusal; 134 a trap.";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a script.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunFlags),
    /// Show whether each transport would work with these grants, and what is missing.
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorFlags),
    /// Show and test the connections that are configured.
    #[command(after_help = CONNECTIONS_EXAMPLES)]
    Connections(ConnectionsFlags),
    /// Show what a component imports, and which flags that hints at; nothing is run.
    #[command(after_help = "Example:\n  tidegate inspect pods.wasm")]
    Inspect(InspectFlags),
    /// Start an in-memory Kubernetes API to try things on.
    #[command(disable_help_flag = true)]
    Playground(PlaygroundFlags),
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  tidegate completions bash > /etc/bash_completion.d/tidegate")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  tidegate run --allow-run=kubectl list-pods.wasm
  tidegate run --allow-net=localhost:8001 --transports=KubectlProxy list-pods.wasm -- --all
  tidegate run --kubeconfig=dev.yaml --allow-read=dev.yaml --allow-net=127.0.0.1:6443 pods.wasm
  tidegate run -A --deny-net=169.254.0.0/16 list-pods.wasm
  tidegate run --allow-connection=prod,dev-* compare.wasm
  tidegate run -P ci --allow-run=kubectl list-pods.wasm
  tidegate run --config=team.yaml -P ci list-pods.wasm
  tidegate run -A --limit-memory=64MiB --limit-cpu=10s --limit-wall=1m foreign.wasm
  tidegate run -A --limit-streams=16 --limit-requests=100/s --limit-bytes=1GiB foreign.wasm

--allow-* is what tidegate may do for the script; none of it reaches the script itself, which
always has its arguments, standard streams, clocks and random numbers. --wasi-* is what the
script may do by itself. A --deny-* wins over both. --allow-connection covers what that
connection needs: its files, its server, its plugin. A script that reaches a --limit-* ends with
124, unless it handles that it was refused a stream, a request, a byte or memory.";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  tidegate doctor       with nothing granted: what each transport would need first
  tidegate doctor -A    with everything granted: what works on this machine
  tidegate doctor --kubeconfig=dev.yaml --allow-read=dev.yaml --allow-net=127.0.0.1:6443
  tidegate doctor -P ci what works with the flags of a permission set

Detection does not use connections: `tidegate connections test` asks them.";

const CONNECTIONS_EXAMPLES: &str = "\
Examples:
  tidegate connections list
  tidegate connections show prod
  tidegate connections test            all of them
  tidegate connections test prod dev --json
  K8S_CLUSTER_CONF_PATH_east=east.yaml tidegate connections list --config=team.yaml

Connections come from tidegate.yaml in the user's configuration folder, never from the
working folder, and from K8S_CLUSTER_CONF_{SA,PATH,CONTEXT}_<name>. A script uses those that
`tidegate run --allow-connection=NAME` names.";

/// What may be done, for which clusters, and what is told of it.
#[derive(Args, Debug)]
pub(crate) struct AccessFlags {
    #[command(flatten)]
    pub(crate) grants: GrantFlags,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
    #[command(flatten)]
    pub(crate) config: ConfigFlags,
    #[command(flatten)]
    pub(crate) connect: ConnectFlags,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

#[derive(Args, Debug)]
pub(crate) struct RunFlags {
    #[command(flatten)]
    pub(crate) access: AccessFlags,
    #[command(flatten)]
    pub(crate) cache: CacheFlags,
    /// The script, a WebAssembly component.
    #[arg(value_name = "SCRIPT.wasm")]
    pub(crate) script: PathBuf,
    /// Arguments for the script.
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct DoctorFlags {
    #[command(flatten)]
    pub(crate) access: AccessFlags,
    /// Print a JSON list, an object for each transport.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct InspectFlags {
    #[command(flatten)]
    pub(crate) cache: CacheFlags,
    /// The component.
    #[arg(value_name = "SCRIPT.wasm")]
    pub(crate) script: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct PlaygroundFlags {
    /// Flags of `tidegate-playground`.
    #[arg(value_name = "FLAG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) flags: Vec<OsString>,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputFlags {
    /// Show each request and each kubectl command line on standard error; never a credential.
    #[arg(long, short, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Show nothing but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Compiled code")]
pub(crate) struct CacheFlags {
    /// Where compiled scripts are kept [default: the user's cache folder, tidegate/compiled].
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_cache")]
    pub(crate) cache: Option<PathBuf>,
    /// Compile anew, and keep nothing.
    #[arg(long)]
    pub(crate) no_cache: bool,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_script_is_the_scripts() {
        for (line, expected) in [
            ("run x.wasm", vec![]),
            ("run x.wasm a --allow-net", vec!["a", "--allow-net"]),
            ("run x.wasm -- -n web", vec!["-n", "web"]),
            ("run --allow-net x.wasm -n web", vec!["-n", "web"]),
            ("run x.wasm -- a -- b", vec!["a", "--", "b"]),
        ] {
            let words = std::iter::once("tidegate").chain(line.split(' '));
            let Command::Run(flags) = Cli::try_parse_from(words).unwrap().command else { panic!("{line}") };
            assert_eq!(flags.script.to_str(), Some("x.wasm"), "{line}");
            assert_eq!(flags.arguments, expected, "{line}");
        }
    }
}
