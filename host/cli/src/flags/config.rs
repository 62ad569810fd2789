//! What was configured beforehand: the file, its connections and its permission sets.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tidegate::ConfigurationError;
use tidegate::grants::{Grants, Limits};
use tidegate::registry::{Configuration, SetError};

use super::AccessFlags;
use super::connect::duration;
use crate::{COULD_NOT_START, USAGE, report};

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct FileFlag {
    /// The configuration file, instead of tidegate.yaml in $XDG_CONFIG_HOME/tidegate or ~/.config/tidegate.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct ConfigFlags {
    #[command(flatten)]
    pub(crate) file: FileFlag,
    /// Add the flags of a permission set of the configuration file; may be repeated.
    #[arg(long = "permission-set", short = 'P', value_name = "NAME")]
    sets: Vec<String>,
}

/// Whether a command uses the connections that its flags allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    Used,
    Unused,
}

/// What the flags and the permission sets say together.
#[derive(Debug)]
pub(crate) struct Access {
    /// What is allowed and denied.
    pub(crate) grants: Grants,
    /// What may be used up.
    pub(crate) limits: Limits,
    /// Where something asked for it.
    pub(crate) configuration: Option<Configuration>,
}

/// A command line that cannot be used as it is.
#[derive(Debug)]
pub(crate) enum Unusable {
    Configuration(ConfigurationError),
    Set(SetError),
}

impl Unusable {
    /// Tells a person, and gives the exit code: a set that is not there or not right is a wrong command line.
    pub(crate) fn told(&self) -> ExitCode {
        match self {
            Self::Configuration(error) => {
                report::error(error, None);
                ExitCode::from(COULD_NOT_START)
            }
            Self::Set(error) => {
                report::error(error, None);
                ExitCode::from(USAGE)
            }
        }
    }
}

impl FileFlag {
    pub(crate) fn configuration(&self) -> Result<Configuration, ConfigurationError> {
        tidegate::configuration(self.config.as_deref())
    }
}

impl AccessFlags {
    /// What the flags say, those of the permission sets first, and the configuration where something asks for it: a run without
    /// connections and sets reads no file and looks at no variable.
    pub(crate) fn access(&self, connections: Connections) -> Result<Access, Unusable> {
        let ConfigFlags { file, sets } = &self.config;
        let wanted = file.config.is_some()
            || !sets.is_empty()
            || (connections == Connections::Used && self.grants.allow_connections());
        let configuration = match wanted {
            true => Some(file.configuration().map_err(Unusable::Configuration)?),
            false => None,
        };
        let mut builder = Grants::builder();
        for set in sets {
            let from = configuration.as_ref().map(|configuration| configuration.add_set(set, &mut builder));
            from.transpose().map_err(Unusable::Set)?;
        }
        let added = self.grants.add_to(&mut builder).and_then(|()| self.limits.add_to(&mut builder));
        added.map_err(|error| Unusable::Set(error.into()))?;
        Ok(Access { grants: builder.build(), limits: builder.limits(), configuration })
    }
}

#[derive(Args, Debug)]
pub(crate) struct ConnectionsFlags {
    #[command(subcommand)]
    pub(crate) command: ConnectionsCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ConnectionsCommand {
    /// List all connections: name, who defined it, what it is made from.
    List {
        #[command(flatten)]
        file: FileFlag,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one connection, and what its kubeconfig says; nothing is connected, and no credential is shown.
    Show {
        #[command(flatten)]
        file: FileFlag,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The connection.
        name: String,
    },
    /// Connect and ask each server whether it is there and takes the credential; all connections unless some are named.
    Test {
        #[command(flatten)]
        file: FileFlag,
        /// Print JSON, an object a line.
        #[arg(long)]
        json: bool,
        /// How long a server may take to answer [default: 3s].
        #[arg(long, value_name = "TIME", value_parser = duration)]
        probe_deadline: Option<std::time::Duration>,
        /// The connections.
        names: Vec<String>,
    },
}
