use crate::Error;
use crate::options::KubectlOptions;
use crate::plan::{Inputs, Plan as Rounds, Round, Step};

/// One round: the program. It acts with the user's own rights, so nothing else is needed.
#[derive(Debug)]
pub(super) struct Plan {
    program: String,
}

impl Plan {
    pub(super) fn new(options: &KubectlOptions) -> Plan {
        Plan { program: options.program.clone() }
    }
}

impl Rounds for Plan {
    /// The program's name.
    type Ready = String;

    fn round(&self) -> Round {
        Round { run: Some(self.program.clone()), ..Round::default() }
    }

    fn advance(self, _: Inputs) -> Result<Step<Plan, String>, Error> {
        Ok(Step::Ready(self.program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tables::lines;

    #[test]
    fn one_round() {
        assert_eq!(lines(&Plan::new(&KubectlOptions::default()).round()), ["run kubectl"]);
        let other = KubectlOptions { program: "/opt/bin/oc".to_owned(), ..KubectlOptions::default() };
        assert_eq!(lines(&Plan::new(&other).round()), ["run /opt/bin/oc"]);
    }
}
