use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use tidegate_authority::{ReadGrant, Stamp};
use tidegate_kube::Secret;
use tokio::time::Instant;

use super::token_file::LOOK_AGAIN;
use super::{CredentialKind, CredentialReport, Credentials, Moment, Presented, Source};
use crate::Error;
use crate::drive::TEXT_CAP;
use crate::http::{ClientIdentity, Identity, Material};

/// A client certificate out of files, besides whatever header there is: looked at every 60 seconds at most, and when a server
/// refuses it.
///
/// Files that cannot be read, or that hold a certificate and a key which do not belong together because one of the two was not
/// replaced yet, leave the certificate as it was.
pub(crate) struct CertificateFiles {
    pair: Identity,
    /// Those of the two that are files; the other one is fixed.
    files: [Option<ReadGrant>; 2],
    header: Credentials,
    state: Mutex<State>,
}

struct State {
    identity: Arc<ClientIdentity>,
    /// How many others there were before.
    generation: u32,
    stamps: Option<[Option<Stamp>; 2]>,
    looked: Instant,
    read: SystemTime,
}

impl CertificateFiles {
    /// `pair` is what certificate and key were a moment ago, `files` where they come from. Errors: they do not work.
    pub(crate) fn new(
        pair: Identity,
        files: [Option<ReadGrant>; 2],
        header: Credentials,
        now: Moment,
    ) -> Result<CertificateFiles, Error> {
        let identity = ClientIdentity::new(&pair)?;
        let state = State { identity, generation: 0, stamps: None, looked: now.instant, read: now.date };
        Ok(CertificateFiles { pair, files, header, state: Mutex::new(state) })
    }

    /// A file that is there and a stamp that cannot be had are different from each other, and from themselves later.
    fn look_again(&self, now: Instant) {
        let known = {
            let mut state = self.lock();
            // Others that send meanwhile need not look too.
            state.looked = now;
            state.stamps
        };
        let stamps = self.files.each_ref().map(|file| file.as_ref().and_then(|file| file.stamp_now().ok()));
        if known != Some(stamps) {
            self.read_again();
            self.lock().stamps = Some(stamps);
        }
    }

    fn read_again(&self) {
        let read = |file: &Option<ReadGrant>, fixed: &Material| match file {
            None => Some(fixed.clone()),
            Some(file) => {
                let pem = Secret::new(file.read_trusted_now(TEXT_CAP).ok()?);
                Some(Material { pem, origin: fixed.origin.clone() })
            }
        };
        let [certificate, key] = &self.files;
        let pair = read(certificate, &self.pair.certificate).zip(read(key, &self.pair.key));
        let Some((certificate, key)) = pair else { return };
        let Ok(identity) = ClientIdentity::new(&Identity { certificate, key }) else { return };
        let mut state = self.lock();
        state.read = SystemTime::now();
        if !identity.is_same(&state.identity) {
            state.identity = identity;
            state.generation = state.generation.wrapping_add(1);
        }
    }

    /// The certificate beside this header. Either generation changes both.
    fn beside(&self, header: Presented) -> Presented {
        let state = self.lock();
        Presented {
            identity: Some(state.identity.clone()),
            generation: header.generation << 32 | u64::from(state.generation),
            ..header
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for CertificateFiles {
    fn current(&self, now: Moment) -> Option<Presented> {
        let looked = self.lock().looked;
        if now.instant.saturating_duration_since(looked) >= LOOK_AGAIN {
            self.look_again(now.instant);
        }
        self.header.current(now).map(|header| self.beside(header))
    }

    fn refresh(&self, refused: Option<u64>) -> BoxFuture<'_, Result<Presented, Error>> {
        Box::pin(async move {
            let before = self.lock().generation;
            if refused.is_some() {
                self.read_again();
            }
            let changed = self.lock().generation != before;
            let header = match &self.header {
                Credentials::Fixed { presented, .. } => presented.clone(),
                // The new certificate may be all that was wanted.
                Credentials::Source(source) => match source.current(Moment::now()) {
                    Some(header) if changed => header,
                    _ => source.refresh(refused.map(|generation| generation >> 32)).await?,
                },
            };
            Ok(self.beside(header))
        })
    }

    fn reports(&self) -> Vec<CredentialReport> {
        let mut reports = self.header.reports();
        let state = self.lock();
        let origins = [&self.pair.certificate.origin, &self.pair.key.origin];
        let mut report =
            CredentialReport::new(CredentialKind::ClientCertificate, &origins.map(|o| o.as_str()).join(", "));
        report.expires = state.identity.expires();
        report.refreshed = Some(state.read);
        reports.push(report);
        reports
    }
}
