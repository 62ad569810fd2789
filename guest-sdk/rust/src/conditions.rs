//! What an object may come to: kube-rs' `conditions`, and those of `kubectl wait`.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_core::Resource;
use serde::Serialize;

use crate::{Error, Result};

/// Whether an object has come to something; none where it does not exist.
///
/// Any `Fn(Option<&K>) -> bool` is one.
pub trait Condition<K> {
    /// Errors: the condition does not fit the object, and never will.
    fn matches_object(&self, object: Option<&K>) -> Result<bool>;
}

impl<K, F: Fn(Option<&K>) -> bool> Condition<K> for F {
    fn matches_object(&self, object: Option<&K>) -> Result<bool> {
        Ok(self(object))
    }
}

/// The object with this uid is gone: none has its name, or another.
pub fn is_deleted<K: Resource>(uid: &str) -> impl Condition<K> + use<'_, K> {
    move |object: Option<&K>| object.is_none_or(|object| object.meta().uid.as_deref() != Some(uid))
}

/// The pod's phase is Running.
pub fn is_pod_running() -> impl Condition<Pod> {
    |object: Option<&Pod>| {
        let status = object.and_then(|pod| pod.status.as_ref());
        status.and_then(|status| status.phase.as_deref()) == Some("Running")
    }
}

/// The job has the condition Complete.
pub fn is_job_completed() -> impl Condition<Job> {
    |object: Option<&Job>| {
        let conditions = object.and_then(|job| job.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|one| one.type_ == "Complete" && one.status == "True")
    }
}

/// The definition is served.
pub fn is_crd_established() -> impl Condition<CustomResourceDefinition> {
    |object: Option<&CustomResourceDefinition>| {
        let conditions = object.and_then(|crd| crd.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|one| one.type_ == "Established" && one.status == "True")
    }
}

/// What stands after `kubectl wait --for=`: `condition=Ready`, `condition=Ready=False`, `jsonpath={.status.phase}=Running`,
/// `jsonpath={.status.phase}`, `delete`, `create`. For objects of any kind.
///
/// Errors: `invalid-request`, saying what is wrong with the text.
pub fn parse(text: &str) -> Result<Parsed> {
    let condition = tidegate_kube::condition::Condition::parse(text);
    let invalid =
        |error: tidegate_kube::condition::InvalidCondition| Error::invalid_request(error.to_string());
    Ok(Parsed { condition: condition.map_err(invalid)?, uid: None })
}

/// A condition of `kubectl wait`; [`parse`] gives it. Judged as kubectl judges it: a condition of an older generation does not count, and a
/// JSONPath that leads to several values is an error.
#[derive(Clone, Debug)]
pub struct Parsed {
    condition: tidegate_kube::condition::Condition,
    uid: Option<String>,
}

impl Parsed {
    /// The same about the object with this uid: where its end is waited for, another of its name is its end.
    #[must_use]
    pub fn of(mut self, uid: &str) -> Self {
        self.uid = Some(uid.to_owned());
        self
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.condition == tidegate_kube::condition::Condition::Deleted
    }

    pub(crate) fn is_created(&self) -> bool {
        self.condition == tidegate_kube::condition::Condition::Created
    }
}

impl<K: Serialize + Resource> Condition<K> for Parsed {
    fn matches_object(&self, object: Option<&K>) -> Result<bool> {
        let Some(object) = object else { return Ok(self.is_deleted()) };
        if self.is_deleted() {
            return Ok(self.uid.is_some() && object.meta().uid != self.uid);
        }
        let value = crate::api::value(object)?;
        let is_met = self.condition.is_met(&value);
        is_met.map_err(|error| Error::invalid_request(format!("{}: {error}", self.condition)))
    }
}
