//! Subresources: status, scale, logs, eviction, and any other by its name.

use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::Pod;
use kube_core::params::{Patch, PatchParams, PostParams};
use kube_core::response::Status;
use kube_core::subresource::{EvictParams, LogParams};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Api, convert, encode};
use crate::{AttachParams, AttachedProcess, LineStream, Result};

impl<K: DeserializeOwned> Api<K> {
    /// The object, read through its status subresource.
    pub fn get_status(&self, name: &str) -> Result<K> {
        self.get_subresource("status", name)
    }

    /// Changes parts of the status.
    pub fn patch_status<P: Serialize>(&self, name: &str, pp: &PatchParams, patch: &Patch<P>) -> Result<K> {
        self.patch_subresource("status", name, pp, patch)
    }

    /// Replaces the status by that of `data`, which carries the object's name and `resource_version` too.
    pub fn replace_status(&self, name: &str, pp: &PostParams, data: &K) -> Result<K>
    where
        K: Serialize,
    {
        self.replace_subresource("status", name, pp, data)
    }

    /// How many replicas there should be and are.
    pub fn get_scale(&self, name: &str) -> Result<Scale> {
        self.call(self.request.get_subresource("scale", name))
    }

    /// Changes the number of replicas by a patch of [`Scale`].
    pub fn patch_scale<P: Serialize>(&self, name: &str, pp: &PatchParams, patch: &Patch<P>) -> Result<Scale> {
        self.call(self.request.patch_subresource("scale", name, pp, patch))
    }

    /// Replaces the number of replicas.
    pub fn replace_scale(&self, name: &str, pp: &PostParams, data: &Scale) -> Result<Scale> {
        self.call(self.request.replace_subresource("scale", name, pp, encode(data)?))
    }

    /// Reads any subresource that answers with the object.
    pub fn get_subresource(&self, subresource: &str, name: &str) -> Result<K> {
        self.call(self.request.get_subresource(subresource, name))
    }

    /// Makes something of a subresource, e.g. a `TokenRequest` of a service account's `token`.
    pub fn create_subresource<I: Serialize, T: DeserializeOwned>(
        &self,
        subresource: &str,
        name: &str,
        pp: &PostParams,
        data: &I,
    ) -> Result<T> {
        self.call(self.request.create_subresource(subresource, name, pp, encode(data)?))
    }

    /// Patches any subresource that answers with the object.
    pub fn patch_subresource<P: Serialize>(
        &self,
        subresource: &str,
        name: &str,
        pp: &PatchParams,
        patch: &Patch<P>,
    ) -> Result<K> {
        self.call(self.request.patch_subresource(subresource, name, pp, patch))
    }

    /// Replaces any subresource that answers with the object.
    pub fn replace_subresource<I: Serialize>(
        &self,
        subresource: &str,
        name: &str,
        pp: &PostParams,
        data: &I,
    ) -> Result<K> {
        self.call(self.request.replace_subresource(subresource, name, pp, encode(data)?))
    }
}

/// Kinds that have processes: kube-rs' `Execute` and `Attach`.
pub trait Execute {}

impl Execute for Pod {}

impl<K: Execute> Api<K> {
    /// Starts a command in a pod. Errors: as [`crate::Client::exec`].
    pub fn exec<T: Into<String>>(
        &self,
        name: &str,
        command: impl IntoIterator<Item = T>,
        ap: &AttachParams,
    ) -> Result<AttachedProcess> {
        self.client.exec(self.namespace(), name, command, ap)
    }

    /// Attaches to the program that a container runs.
    pub fn attach(&self, name: &str, ap: &AttachParams) -> Result<AttachedProcess> {
        self.client.attach(self.namespace(), name, ap)
    }
}

/// Kinds that have logs.
pub trait Log {}

impl Log for Pod {}

impl<K: Log> Api<K> {
    /// The log so far, whole. Errors: as [`crate::Response::text`].
    pub fn logs(&self, name: &str, lp: &LogParams) -> Result<String> {
        self.client.request_text(self.request.logs(name, lp)?)
    }

    /// The log line by line, as it grows where `lp` says `follow`.
    pub fn log_stream(&self, name: &str, lp: &LogParams) -> Result<LineStream> {
        self.client.open_lines(convert(self.request.logs(name, lp))?)
    }
}

impl Api<Pod> {
    /// Evicts a pod, minding its disruption budget: 429 where that does not allow it now.
    pub fn evict(&self, name: &str, ep: &EvictParams) -> Result<Status> {
        self.call(self.request.evict(name, ep))
    }
}
