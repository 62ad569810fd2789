use std::sync::Arc;
use std::time::SystemTime;

use tidegate_authority::{Approved, Authority};
use tidegate_kube::kubeconfig::provider::{gcp, oidc};

use super::ready::{Credential, Exec, Pair, Provider, Ready};
use crate::credentials::{
    Cached, CertificateFiles, CredentialKind, CredentialRequest, Credentials, Custom, Gcp, Moment, Oidc,
    Plugin, Program, TokenFile, basic, bearer,
};
use crate::http::{ClientIdentity, Origin};
use crate::{Code, Error, Options};

/// What the last round's approval makes of a user's entry.
pub(super) fn credentials(
    ready: &mut Ready,
    approved: &Approved,
    authority: &Authority,
    options: &Options,
) -> Result<Credentials, Error> {
    let credential = std::mem::replace(&mut ready.credential, Credential::None);
    let header = header(credential, &ready.origin, approved, authority, options)?;
    match ready.identity.take() {
        None => Ok(header),
        Some(pair) => identity(pair, header, approved),
    }
}

fn header(
    credential: Credential,
    server: &Origin,
    approved: &Approved,
    authority: &Authority,
    options: &Options,
) -> Result<Credentials, Error> {
    Ok(match credential {
        Credential::None => Credentials::none(),
        Credential::Token { token, origin } => {
            let header = bearer(token.expose().as_bytes(), &origin)?;
            Credentials::fixed(header, CredentialKind::Token, &origin)
        }
        Credential::Basic { username, password, origin } => {
            Credentials::fixed(basic(&username, &password, &origin)?, CredentialKind::Basic, &origin)
        }
        Credential::TokenFile { path, token } => {
            let file = approved.read(&path).ok_or_else(lost)?;
            let origin = path.display().to_string();
            let file = TokenFile::new(file, token.expose(), &origin, Moment::now())?;
            Credentials::Source(Arc::new(file))
        }
        Credential::Provider(provider) => self::provider(*provider, server, approved, authority, options)?,
        Credential::Exec(exec) => {
            let Exec { config, version, info, origin } = *exec;
            let program = program(&config.command, &origin, approved, options)?;
            let plugin = Plugin::new(program, config, version, info)?;
            Credentials::Source(Arc::new(Cached::new(Box::new(plugin), options.observer.clone())))
        }
    })
}

/// An embedder's own goes before those that we know, by the same name.
fn provider(
    provider: Provider,
    server: &Origin,
    approved: &Approved,
    authority: &Authority,
    options: &Options,
) -> Result<Credentials, Error> {
    let Provider { entry, issuer, proxies, origin } = provider;
    let broken = || Error::new(Code::NotConfigured, format!("the {origin} cannot be used")).broken();
    let cached = |fetch| Cached::new(fetch, options.observer.clone());
    let now = SystemTime::now();
    let source = if let Some(provider) = options.providers.get(&entry.name) {
        let request = CredentialRequest { server: server.to_string(), config: entry.config };
        let deadline = options.plugins.deadline;
        cached(Box::new(Custom { name: entry.name, provider, request, deadline }))
    } else {
        match entry.name.as_str() {
            "oidc" => {
                let config = oidc::Oidc::of(&entry).map_err(|error| broken().because(error))?;
                let oidc = Oidc::new(config, (issuer, proxies), authority, options, origin);
                let known = oidc.known(now)?;
                cached(Box::new(oidc)).beginning_with(known)
            }
            "gcp" => {
                let config = gcp::Gcp::of(&entry).map_err(|error| broken().because(error))?;
                let program = config
                    .command
                    .as_ref()
                    .map(|command| program(&command.program, &origin, approved, options));
                let gcp = Gcp::new(config, program.transpose()?, origin);
                let known = gcp.known(now)?;
                cached(Box::new(gcp)).beginning_with(known)
            }
            // client-go's words.
            name => return Err(broken().because(format!("no Auth Provider found for name {name:?}"))),
        }
    };
    Ok(Credentials::Source(Arc::new(source)))
}

fn program(command: &str, origin: &str, approved: &Approved, options: &Options) -> Result<Program, Error> {
    Ok(Program {
        run: approved.run(command).ok_or_else(lost)?,
        what: origin.to_owned(),
        options: options.plugins.clone(),
        observer: options.observer.clone(),
    })
}

fn identity(pair: Pair, header: Credentials, approved: &Approved) -> Result<Credentials, Error> {
    let Pair { pem, files } = pair;
    if files.iter().all(Option::is_none) {
        return Ok(header.with_identity(ClientIdentity::new(&pem)?, &pem.certificate.origin));
    }
    let mut grants = [None, None];
    for (grant, file) in grants.iter_mut().zip(files) {
        *grant = file.map(|path| approved.read(&path).ok_or_else(lost)).transpose()?;
    }
    Ok(Credentials::Source(Arc::new(CertificateFiles::new(pem, grants, header, Moment::now())?)))
}

pub(super) fn lost() -> Error {
    Error::new(Code::PermissionDenied, "the approval of KubeConfig's last round is incomplete")
}
