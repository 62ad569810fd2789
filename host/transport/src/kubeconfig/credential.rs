use std::sync::Arc;

use tidegate_authority::Approved;

use super::ready::{Credential, Exec, Pair, Ready};
use crate::credentials::{
    Cached, CertificateFiles, CredentialKind, Credentials, Moment, Plugin, Program, TokenFile, basic, bearer,
};
use crate::http::ClientIdentity;
use crate::{Code, Error, Options};

/// What the last round's approval makes of a user's entry.
pub(super) fn credentials(
    ready: &mut Ready,
    approved: &Approved,
    options: &Options,
) -> Result<Credentials, Error> {
    let credential = std::mem::replace(&mut ready.credential, Credential::None);
    let header = header(credential, approved, options)?;
    match ready.identity.take() {
        None => Ok(header),
        Some(pair) => identity(pair, header, approved),
    }
}

fn header(credential: Credential, approved: &Approved, options: &Options) -> Result<Credentials, Error> {
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
        Credential::Exec(exec) => {
            let Exec { config, version, info, origin } = *exec;
            let program = Program {
                run: approved.run(&config.command).ok_or_else(lost)?,
                what: origin,
                options: options.plugins.clone(),
                observer: options.observer.clone(),
            };
            let plugin = Plugin::new(program, config, version, info)?;
            Credentials::Source(Arc::new(Cached::new(Box::new(plugin), options.observer.clone())))
        }
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
