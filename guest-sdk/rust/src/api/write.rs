//! Writing: create, replace, patch, delete.

use either::Either;
use kube_core::params::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube_core::response::Status;
use kube_core::{ObjectList, PartialObjectMeta};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Api, encode};
use crate::{Error, Result};

impl<K: Clone + DeserializeOwned> Api<K> {
    /// Makes an object, and gives it as the server stored it.
    pub fn create(&self, pp: &PostParams, data: &K) -> Result<K>
    where
        K: Serialize,
    {
        self.call(self.request.create(pp, encode(data)?))
    }

    /// Replaces an object whole. With `metadata.resource_version` set it is refused as a conflict if the object was changed since.
    pub fn replace(&self, name: &str, pp: &PostParams, data: &K) -> Result<K>
    where
        K: Serialize,
    {
        self.call(self.request.replace(name, pp, encode(data)?))
    }

    /// Changes parts of an object: [`Patch::Apply`] (needs a `field_manager`), `Json`, `Merge` or `Strategic`.
    pub fn patch<P: Serialize>(&self, name: &str, pp: &PatchParams, patch: &Patch<P>) -> Result<K> {
        self.call(self.request.patch(name, pp, patch))
    }

    /// Changes parts of an object, and gives back only its metadata. Needs a transport that [`supports`](crate::Client::supports)
    /// `accept`.
    pub fn patch_metadata<P: Serialize>(
        &self,
        name: &str,
        pp: &PatchParams,
        patch: &Patch<P>,
    ) -> Result<PartialObjectMeta<K>> {
        self.call(self.request.patch_metadata(name, pp, patch))
    }

    /// Deletes an object. `Left`: it still exists, since something (a finalizer, a grace period) has to be done first; `Right`: it is
    /// gone. Some kinds answer `Left` in either case, as kube-rs says too.
    pub fn delete(&self, name: &str, dp: &DeleteParams) -> Result<Either<K, Status>> {
        self.either(self.request.delete(name, dp))
    }

    /// Deletes all objects that the selectors of `lp` name. `Left`: those that still exist.
    pub fn delete_collection(
        &self,
        dp: &DeleteParams,
        lp: &ListParams,
    ) -> Result<Either<ObjectList<K>, Status>> {
        self.either(self.request.delete_collection(dp, lp))
    }

    pub(super) fn either<T: DeserializeOwned>(
        &self,
        built: Result<http::Request<Vec<u8>>, kube_core::request::Error>,
    ) -> Result<Either<T, Status>> {
        #[derive(serde::Deserialize)]
        struct Kind {
            #[serde(default)]
            kind: String,
        }
        let body = self.client.send(built?)?.bytes()?;
        let decode = |error| Error::json("response", error);
        let kind: Kind = serde_json::from_slice(&body).map_err(decode)?;
        if kind.kind == "Status" {
            return serde_json::from_slice(&body).map(Either::Right).map_err(decode);
        }
        serde_json::from_slice(&body).map(Either::Left).map_err(decode)
    }
}
