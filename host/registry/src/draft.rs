//! What one source says about one connection, and how two are made one.

use std::path::PathBuf;

use crate::definition::{Definition, Entry, KubeConfig, Overrides, ServiceAccount};
use crate::error::{ConfigError, Place};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// What the file or the environment says about one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) account: Option<At<Account>>,
    pub(crate) path: Option<At<PathBuf>>,
    pub(crate) entry: Option<At<Entry>>,
    pub(crate) overrides: Option<At<Overrides>>,
}

/// `sa` and `K8S_CLUSTER_CONF_SA_…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    No,
    Yes(Option<PathBuf>),
}

impl Draft {
    /// This draft, of the file, with the environment's over it, key by key.
    pub(crate) fn under(self, over: Draft) -> Draft {
        let mut merged = self;
        if over.account.is_some() {
            // An account replaces the file's kubeconfig, unless the same source has a kubeconfig too.
            if over.is_account() && over.path.is_none() {
                (merged.path, merged.entry, merged.overrides) = (None, None, None);
            }
            merged.account = over.account.map(|account| account.with_folder_of(merged.account.as_ref()));
        }
        merged.path = over.path.or(merged.path);
        merged.entry = over.entry.or(merged.entry);
        merged.overrides = over.overrides.or(merged.overrides);
        merged
    }

    /// What it amounts to. A kubeconfig beats a service account, and nothing at all is the pod's service account.
    pub(crate) fn definition(self) -> Result<Definition, ConfigError> {
        if let Some(At { value: path, .. }) = self.path {
            let entry = self.entry.map(|at| at.value).unwrap_or_default();
            let overrides = self.overrides.map(|at| at.value).unwrap_or_default();
            return Ok(Definition::KubeConfig(KubeConfig { path, entry, overrides }));
        }
        if let Some(place) = self.entry.map(|at| at.place).or(self.overrides.map(|at| at.place)) {
            let problem = "this chooses within a kubeconfig, and the connection has none; name one with conn or \
                           K8S_CLUSTER_CONF_PATH_<name>";
            return Err(ConfigError::new(place, problem));
        }
        match self.account {
            None => Ok(Definition::service_account()),
            Some(At { value: Account::Yes(folder), .. }) => {
                Ok(Definition::ServiceAccount(ServiceAccount { folder, address: None }))
            }
            Some(At { value: Account::No, place }) => {
                let problem = "no service account, and nothing else either: the connection leads nowhere; name a kubeconfig with \
                               conn or K8S_CLUSTER_CONF_PATH_<name>, or remove this";
                Err(ConfigError::new(place, problem))
            }
        }
    }

    fn is_account(&self) -> bool {
        self.account.as_ref().is_some_and(|at| at.value != Account::No)
    }
}

impl At<Account> {
    /// A bare `true` keeps the folder that the file has.
    fn with_folder_of(self, file: Option<&At<Account>>) -> Self {
        match (&self.value, file.map(|at| &at.value)) {
            (Account::Yes(None), Some(Account::Yes(folder))) => {
                Self { value: Account::Yes(folder.clone()), ..self }
            }
            _ => self,
        }
    }
}
