//! What is granted: `--allow-*`, `--deny-*`, `--wasi-*`.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use tidegate::grants::{FlagError, GrantsBuilder, Kind};

/// Stands for "no value", which means everything of that kind; no value that can be typed is equal to it.
const EVERYTHING: &str = "\u{1}";

/// One row a flag family: the kind, what a value looks like, and what it is for.
const KINDS: [(Kind, &str, &str); 7] = [
    (Kind::Net, "HOST[:PORT],…", "Connect to hosts, `*.corp` names, addresses or CIDR blocks"),
    (Kind::Read, "PATH,…", "Read files and what is beneath folders"),
    (Kind::Write, "PATH,…", "Write files and what is beneath folders"),
    (Kind::Env, "NAME,…", "Read environment variables, `NAME_*` for a prefix"),
    (Kind::Run, "PROGRAM,…", "Run programs; each acts with all of your rights"),
    (Kind::Listen, "ADDRESS[:PORT],…", "Accept connections at addresses of this machine"),
    (
        Kind::Connection,
        "NAME,…",
        "Use connections of the configuration with all that each needs, `prod-*` for a prefix",
    ),
];

/// All flags that grant or deny, in the order that they were given.
#[derive(Debug, Default)]
pub(crate) struct GrantFlags {
    everything: bool,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    family: Family,
    kind: Kind,
    /// None: everything of that kind.
    values: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    Allow,
    Deny,
    Wasi,
}

impl GrantFlags {
    /// Whether the flags allow a connection.
    pub(crate) fn allow_connections(&self) -> bool {
        let is_one = |rule: &Rule| rule.family == Family::Allow && rule.kind == Kind::Connection;
        self.everything || self.rules.iter().any(is_one)
    }

    /// The flags, added to those of permission sets. Errors name the flag, the value and the cure.
    pub(crate) fn add_to(&self, builder: &mut GrantsBuilder) -> Result<(), FlagError> {
        builder.working_folder(tidegate::working_folder());
        if self.everything {
            builder.allow_all();
        }
        for Rule { family, kind, values } in &self.rules {
            let values = values.as_deref();
            match family {
                Family::Allow => builder.allow(*kind, values)?,
                Family::Deny => builder.deny(*kind, values)?,
                Family::Wasi => builder.wasi(*kind, values)?,
            };
        }
        Ok(())
    }
}

impl Family {
    fn name(self, kind: Kind) -> &'static str {
        let flag = match self {
            Family::Allow => kind.flag(),
            Family::Deny => kind.deny_flag(),
            Family::Wasi => kind.wasi_flag().unwrap_or_default(),
        };
        flag.trim_start_matches("--")
    }

    fn heading(self) -> &'static str {
        match self {
            Family::Allow => "What tidegate may do for the script (without a value: all of it)",
            Family::Deny => "What nobody may do, whatever else is granted",
            Family::Wasi => "What the script may do by itself (without a value: all of it)",
        }
    }

    fn help(self, kind: Kind) -> String {
        let text = KINDS.iter().find(|row| row.0 == kind).map_or("", |row| row.2);
        match self {
            Family::Allow => text.to_owned(),
            Family::Deny => format!("Never: {}", lowered(text)),
            Family::Wasi if kind == Kind::Net => "Open sockets and make HTTP requests".to_owned(),
            Family::Wasi => text.to_owned(),
        }
    }
}

fn lowered(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn families() -> impl Iterator<Item = (Family, Kind, &'static str)> {
    let all = |family| KINDS.iter().map(move |(kind, value, _)| (family, *kind, *value));
    all(Family::Allow)
        .chain(all(Family::Deny))
        .chain(all(Family::Wasi).filter(|(_, kind, _)| kind.wasi_flag().is_some()))
}

impl Args for GrantFlags {
    fn augment_args(command: Command) -> Command {
        let all = Arg::new("allow-all")
            .long("allow-all")
            .short('A')
            .action(ArgAction::SetTrue)
            .help("Allow everything below; the script itself still reaches nothing")
            .help_heading(Family::Allow.heading());
        families().fold(command.arg(all), |command, (family, kind, value)| {
            let name = family.name(kind);
            command.arg(
                Arg::new(name)
                    .long(name)
                    .value_name(value)
                    .action(ArgAction::Append)
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value(EVERYTHING)
                    .help(family.help(kind))
                    .help_heading(family.heading()),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for GrantFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut rules = Vec::new();
        for (family, kind, _) in families() {
            for value in matches.get_many::<String>(family.name(kind)).into_iter().flatten() {
                let values = (value != EVERYTHING).then(|| value.clone());
                rules.push(Rule { family, kind, values });
            }
        }
        Ok(GrantFlags { everything: matches.get_flag("allow-all"), rules })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
