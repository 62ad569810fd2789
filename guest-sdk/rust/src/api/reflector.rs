//! Reflecting.

use serde::de::DeserializeOwned;

use super::{Api, Form};
use crate::{Reflector, ReflectorParams, Result};

impl<K: DeserializeOwned> Api<K> {
    /// Follows these objects: the host keeps them as the server has them, in one store for all guests that ask for the same.
    ///
    /// ```no_run
    /// use tidegate::k8s_openapi::api::core::v1::Pod;
    /// use tidegate::prelude::*;
    /// use tidegate::{ReflectorParams, Update};
    ///
    /// fn main() -> tidegate::Result<()> {
    ///     let pods: Api<Pod> = Api::all(tidegate::auto_detect_client()?);
    ///     let mut reflector = pods.reflector(&ReflectorParams::default().labels("app=web"))?;
    ///     reflector.wait_until_ready()?;
    ///     println!("{} pods", reflector.store().len());
    ///     for update in reflector {
    ///         if let Update::Deleted(pod) = update? {
    ///             println!("{} is gone", pod.name_any());
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn reflector(&self, params: &ReflectorParams) -> Result<Reflector<K>> {
        let path = self.resource_url();
        match self.form {
            Form::Whole => self.client.reflector(path, params),
            Form::Metadata => self.client.reflector(path, &params.clone().metadata_only()),
        }
    }
}
