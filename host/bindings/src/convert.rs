//! Transports' words in WIT's words.

use tidegate_kube::request::Method;
use tidegate_kube::status::Status;
use tidegate_transport::Failure;

use crate::wit::tidegate::host::types as wit;

pub(crate) fn method(method: wit::Method) -> Method {
    match method {
        wit::Method::Get => Method::Get,
        wit::Method::Post => Method::Post,
        wit::Method::Put => Method::Put,
        wit::Method::Patch => Method::Patch,
        wit::Method::Delete => Method::Delete,
        wit::Method::Options => Method::Options,
        wit::Method::Head => Method::Head,
    }
}

pub(crate) fn status(status: &Status) -> wit::Status {
    wit::Status {
        code: status.code,
        reason: status.reason.clone(),
        message: status.message.clone(),
        details: status.details.clone().unwrap_or_default(),
    }
}

pub(crate) fn failures(failures: &[Failure]) -> Vec<wit::Failure> {
    failures.iter().map(failure).collect()
}

fn failure(failure: &Failure) -> wit::Failure {
    wit::Failure {
        transport: failure.transport.as_str().to_owned(),
        reason: failure.reason.as_str().to_owned(),
        detail: failure.detail.clone(),
        missing: failure.missing.clone(),
    }
}
