//! Asks a server what it has.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Code, Error, Feature, Transport};

use super::builder::Builder;
use super::catalog::{Catalog, segment};
use super::document::MAX_DOCUMENT;
use super::{aggregated, legacy};

/// What a server is asked for, the best first. One that knows none of it answers in plain JSON.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// How many documents are asked for at once where there is one for each version of each group.
const AT_ONCE: usize = 8;

/// A root's answer, and which family of documents it is.
enum Root {
    Aggregated(Bytes),
    Plain(Bytes),
}

/// Reads all that a server says of itself. What one of its groups' own servers cannot say is a gap.
///
/// Errors: neither `/api` nor `/apis` could be had, or what came is no discovery document.
pub(super) async fn fetch(transport: Arc<dyn Transport>) -> Result<Catalog, Error> {
    let (core, groups) = join(root(&transport, "/api"), root(&transport, "/apis")).await;
    let (core, groups) = match (core, groups) {
        (Err(error), Err(_)) => return Err(error),
        both => both,
    };
    let mut builder = Builder::default();
    let mut missing: Vec<(String, String)> = Vec::new();
    match tolerated(core, &mut builder, "/api")? {
        Some(Root::Aggregated(document)) => aggregated::add(&mut builder, &document)?,
        Some(Root::Plain(document)) => {
            let versions = legacy::add_core(&mut builder, &document)?;
            missing.extend(versions.into_iter().map(|version| (String::new(), version)));
        }
        None => {}
    }
    match tolerated(groups, &mut builder, "/apis")? {
        Some(Root::Aggregated(document)) => aggregated::add(&mut builder, &document)?,
        Some(Root::Plain(document)) => missing.extend(legacy::add_groups(&mut builder, &document)?),
        None => {}
    }
    one_by_one(&transport, &mut builder, missing).await?;
    Ok(builder.build())
}

/// A server may be without a core group, or without any other, or keep one of them to itself.
fn tolerated(root: Result<Root, Error>, builder: &mut Builder, path: &str) -> Result<Option<Root>, Error> {
    match root {
        Ok(root) => Ok(Some(root)),
        Err(error) if matches!(error.status().map(|status| status.code), Some(403 | 404)) => {
            builder.gap("", "", &format!("{path}: {}", error.report()));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn root(transport: &Arc<dyn Transport>, path: &str) -> Result<Root, Error> {
    let mut request = Request::new(Method::Get, path);
    request.accept = transport.support().has(Feature::Accept).then(|| ACCEPT.to_owned());
    let response = transport.clone().send(request, None).await?;
    let content_type = response.content_type.unwrap_or_default();
    let aggregated = content_type.contains("APIGroupDiscoveryList");
    let document = response.body.whole(MAX_DOCUMENT).await?;
    Ok(if aggregated { Root::Aggregated(document) } else { Root::Plain(document) })
}

/// A server from before aggregated discovery, or a transport that cannot ask for it.
async fn one_by_one(
    transport: &Arc<dyn Transport>,
    builder: &mut Builder,
    missing: Vec<(String, String)>,
) -> Result<(), Error> {
    let documents = missing.into_iter().map(|(group, version)| {
        let transport = transport.clone();
        async move {
            let document = resources(transport, &group, &version).await;
            (group, version, document)
        }
    });
    // In order: it is the order of priority.
    let mut documents = stream::iter(documents).buffered(AT_ONCE);
    while let Some((group, version, document)) = documents.next().await {
        let added = match document {
            Ok(document) => legacy::add_resources(builder, &group, &version, &document).map_err(Error::from),
            Err(error) => Err(error),
        };
        match added {
            Ok(()) => {}
            Err(error) if is_of_one_group(&error) => builder.failed(&group, &version, &error.report()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn resources(transport: Arc<dyn Transport>, group: &str, version: &str) -> Result<Bytes, Error> {
    let path = match group {
        "" => format!("/api/{}", segment(version)),
        _ => format!("/apis/{}/{}", segment(group), segment(version)),
    };
    let response = transport.send(Request::new(Method::Get, path), None).await?;
    response.body.whole(MAX_DOCUMENT).await
}

/// A group's own server is down, slow or talks nonsense; the others go on. A lost connection is not of one group.
fn is_of_one_group(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::Status | Code::Timeout | Code::Protocol | Code::InvalidRequest | Code::Redirect
    )
}
