use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use tidegate_kube::kubeconfig::provider::gcp::{Gcp as Config, Token};

use super::cached::{Fetch, Fetched};
use super::program::Program;
use super::{CredentialKind, CredentialReport, bearer, whose};
use crate::{Code, Error};

/// As client-go: a token that ends so soon is over.
const EARLY: Duration = Duration::from_secs(10);

/// `auth-provider: gcp`: the token that was kept until it ends, then what the command prints.
pub(crate) struct Gcp {
    config: Config,
    program: Option<Program>,
    origin: String,
}

impl Gcp {
    /// `program` is the command's, where there is one; `origin` is `auth-provider of user "u"`.
    pub(crate) fn new(config: Config, program: Option<Program>, origin: String) -> Gcp {
        Gcp { config, program, origin }
    }

    /// The token that was kept, while it lasts.
    pub(crate) fn known(&self, now: SystemTime) -> Result<Option<Fetched>, Error> {
        let kept = self.config.kept.as_ref();
        let kept = kept.filter(|kept| kept.expires.is_some_and(|end| end > now + EARLY));
        kept.map(|kept| self.fetched(kept)).transpose()
    }

    async fn run(&self) -> Result<Fetched, Error> {
        let (Some(program), Some(command)) = (&self.program, &self.config.command) else {
            let text = format!(
                "the access-token has ended and there is no cmd-path ({}); Google's application default credentials are \
                 not read: use the exec plugin gke-gcloud-auth-plugin",
                self.origin
            );
            return Err(Error::new(Code::NotConfigured, text).broken());
        };
        let started = program.command().map_err(|error| program.not_started(error))?;
        let printed = program.print(started.args(command.arguments.iter())).await?;
        let token = command.parse(printed.text.expose());
        match token {
            Ok(token) => {
                printed.tell(&[token.token.expose().as_str()], program);
                self.fetched(&token)
            }
            Err(error) => {
                printed.tell_without_words(program);
                Err(program
                    .broken("the access token command's answer cannot be used".to_owned())
                    .because(error))
            }
        }
    }

    fn fetched(&self, token: &Token) -> Result<Fetched, Error> {
        let header = bearer(token.token.expose().as_bytes(), &self.origin)?;
        Ok(Fetched { header: Some(header), identity: None, expires: token.expires })
    }
}

impl Fetch for Gcp {
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, Error>> {
        Box::pin(self.run())
    }

    fn report(&self) -> CredentialReport {
        let source = match &self.config.command {
            Some(command) => format!("{}, {}", command.program, whose(&self.origin)),
            None => whose(&self.origin).to_owned(),
        };
        CredentialReport::new(CredentialKind::Gcp, &source)
    }
}
