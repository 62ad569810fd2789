use futures_util::future::BoxFuture;
use tidegate_authority::RunError;
use tidegate_kube::Secret;
use tidegate_kube::kubeconfig::exec::{Answer, Pair, VARIABLE, Version, parse};
use tidegate_kube::kubeconfig::{ExecConfig, InteractiveMode};

use super::cached::{Fetch, Fetched};
use super::program::Program;
use super::{CredentialKind, CredentialReport, bearer, whose};
use crate::Error;
use crate::http::{ClientIdentity, Identity, Material};

/// An exec plugin (`client.authentication.k8s.io`, KEP-541).
pub(crate) struct Plugin {
    program: Program,
    config: ExecConfig,
    version: Version,
    info: Secret,
}

impl Plugin {
    /// `info` is what `KUBERNETES_EXEC_INFO` shall hold. Errors: the plugin wants a terminal, which belongs to the script.
    pub(crate) fn new(
        program: Program,
        config: ExecConfig,
        version: Version,
        info: Secret,
    ) -> Result<Plugin, Error> {
        if config.interactive_mode == Some(InteractiveMode::Always) {
            let text = "exec plugin cannot support interactive mode: standard input is unavailable: it belongs to the script; \
                        set interactiveMode to IfAvailable or Never";
            return Err(program.broken(text.to_owned()));
        }
        Ok(Plugin { program, config, version, info })
    }

    async fn run(&self) -> Result<Fetched, Error> {
        let mut command = self.program.command().map_err(|error| self.not_started(error))?;
        command = command.args(self.config.args.iter().map(Secret::expose));
        for variable in &self.config.env {
            command = command.env(&variable.name, variable.value.expose());
        }
        let command = command.env(VARIABLE, self.info.expose());
        let printed = self.program.print(command).await?;
        let answer = match parse(printed.text.expose(), self.version) {
            Ok(answer) => answer,
            Err(error) => {
                printed.tell_without_words(&self.program);
                return Err(self
                    .program
                    .broken("the exec plugin's answer cannot be used".to_owned())
                    .because(error));
            }
        };
        printed.tell(&secrets(&answer), &self.program);
        self.fetched(answer)
    }

    fn fetched(&self, answer: Answer) -> Result<Fetched, Error> {
        let origin = &self.program.what;
        let header = answer.token.map(|token| bearer(token.expose().as_bytes(), origin)).transpose()?;
        let identity = answer.pair.map(|Pair { certificate, key }| {
            let material = |pem, what: &str| Material { pem, origin: format!("{what} of the {origin}") };
            ClientIdentity::new(&Identity {
                certificate: material(certificate, "clientCertificateData"),
                key: material(key, "clientKeyData"),
            })
        });
        Ok(Fetched { header, identity: identity.transpose()?, expires: answer.expires })
    }

    fn not_started(&self, error: RunError) -> Error {
        if !error.is_not_found() {
            return self.program.not_started(error);
        }
        let mut text = format!(
            "exec: executable {} not found; it is a credential plugin that is not installed",
            self.config.command
        );
        if !self.config.install_hint.is_empty() {
            text = format!("{text}: {}", self.config.install_hint);
        }
        self.program.broken(text).because(error)
    }
}

impl Fetch for Plugin {
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, Error>> {
        Box::pin(self.run())
    }

    fn report(&self) -> CredentialReport {
        let source = format!("{}, {}", self.config.command, whose(&self.program.what));
        CredentialReport::new(CredentialKind::ExecPlugin, &source)
    }
}

/// What must not be shown: the token, and the lines of the key.
fn secrets(answer: &Answer) -> Vec<&str> {
    let key = answer.pair.iter().filter_map(|pair| std::str::from_utf8(pair.key.expose()).ok());
    let lines = key.flat_map(str::lines).filter(|line| !line.starts_with("-----"));
    let token = answer.token.iter().map(|token| token.expose().trim());
    token.chain(lines).filter(|secret| secret.len() >= 4).collect()
}
