use tidegate_kube::kubeconfig::Server;

use crate::http::Origin;
use crate::plan::{Inputs, Plan as Rounds, Round, Step};
use crate::{Code, Error};

/// Where `kubectl proxy` listens unless told otherwise.
const DEFAULT_URL: &str = "http://localhost:8001";

/// One round: the network.
#[derive(Debug)]
pub(super) struct Plan {
    origin: Origin,
}

impl Plan {
    /// Errors: a URL that is none, or that holds a user, a password, a query or another scheme than http and https.
    pub(super) fn new(url: Option<&str>) -> Result<Plan, Error> {
        let bad = || Error::new(Code::NotConfigured, "the URL of KubectlProxy cannot be used").broken();
        let server: Server = url.unwrap_or(DEFAULT_URL).parse().map_err(|error| bad().because(error))?;
        Ok(Plan { origin: Origin::of(&server).map_err(|error| bad().because(error))? })
    }
}

impl Rounds for Plan {
    type Ready = Origin;

    fn round(&self) -> Round {
        Round { net: vec![self.origin.endpoint.clone()], ..Round::default() }
    }

    fn advance(self, _: Inputs) -> Result<Step<Plan, Origin>, Error> {
        Ok(Step::Ready(self.origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tables::{lines, ready};

    #[test]
    fn one_round() {
        for (url, net, shown) in [
            (None, "net localhost:8001", "http://localhost:8001"),
            (Some("http://127.0.0.1:8080/k8s/"), "net 127.0.0.1:8080", "http://127.0.0.1:8080/k8s"),
            (Some("https://proxy.corp"), "net proxy.corp:443", "https://proxy.corp"),
            (Some("http://[::1]:8001"), "net [::1]:8001", "http://[::1]:8001"),
        ] {
            let plan = Plan::new(url).expect("plan");
            assert_eq!(lines(&plan.round()), [net]);
            assert_eq!(ready(plan, Inputs::default()).to_string(), shown);
        }
    }

    #[test]
    fn no_user_and_no_other_scheme() {
        for url in
            ["http://me:hunter2@localhost:8001", "ftp://localhost", "http://", "unix:///run/x", "http://h/?q"]
        {
            let error = Plan::new(Some(url)).expect_err(url);
            assert_eq!(error.code(), Code::NotConfigured);
            assert!(!error.report().contains("hunter2"), "{error:?}");
        }
    }
}
