//! `auth-provider`: the two credential helpers that lived in the client itself.

pub mod gcp;
pub mod oidc;

use crate::Secret;
use crate::kubeconfig::schema::AuthProvider;

impl AuthProvider {
    /// A field of `config` that is there and not empty.
    fn given(&self, name: &str) -> Option<&Secret> {
        self.config.get(name).filter(|value| !value.expose().is_empty())
    }
}
