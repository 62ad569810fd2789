//! What a script may use up.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use tidegate::grants::{FlagError, GrantsBuilder, LimitKind};

const HEADING: &str =
    "What the script may use up (nothing is limited unless set; `none` lifts the limit of a set)";

/// One row a flag: the kind, what a value looks like, and what it is for.
const KINDS: [(LimitKind, &str, &str); 6] = [
    (LimitKind::Memory, "SIZE", "Memory, e.g. 64MiB"),
    (LimitKind::Cpu, "TIME", "Processor time, e.g. 10s; waiting does not count"),
    (LimitKind::Wall, "TIME", "Time on the clock, e.g. 1m30s"),
    (LimitKind::Streams, "COUNT", "Requests, streams, tunnels, sockets and files open at a time, e.g. 16"),
    (LimitKind::Requests, "COUNT/UNIT", "Requests in a time, e.g. 100/s or 600/m; one more waits its turn"),
    (LimitKind::Bytes, "SIZE", "Bytes of bodies, received and sent in all, e.g. 1GiB"),
];

/// All flags that limit.
#[derive(Debug, Default)]
pub(crate) struct LimitFlags(Vec<(LimitKind, String)>);

impl LimitFlags {
    /// The flags, over those of permission sets. Errors name the flag, the value and the cure.
    pub(crate) fn add_to(&self, builder: &mut GrantsBuilder) -> Result<(), FlagError> {
        self.0.iter().try_for_each(|(kind, value)| builder.limit(*kind, value).map(drop))
    }
}

fn name(kind: LimitKind) -> &'static str {
    kind.flag().trim_start_matches("--")
}

impl Args for LimitFlags {
    fn augment_args(command: Command) -> Command {
        KINDS.iter().fold(command, |command, (kind, value, help)| {
            let arg = Arg::new(name(*kind)).long(name(*kind)).value_name(*value).overrides_with(name(*kind));
            command.arg(arg.action(ArgAction::Set).help(*help).help_heading(HEADING))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LimitFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |(kind, ..): &(LimitKind, _, _)| {
            matches.get_one::<String>(name(*kind)).map(|value| (*kind, value.clone()))
        };
        Ok(LimitFlags(KINDS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
