//! `Api<K>`: typed objects, in kube-rs' words.

mod read;
mod reflector;
mod subresource;
mod wait;
mod watch;
mod write;

use std::fmt;
use std::marker::PhantomData;

use kube_core::{DynamicResourceScope, NamespaceResourceScope, Resource};

pub use subresource::{Execute, Log};
pub(crate) use wait::value;
pub use watch::Watch;

use crate::{Client, Request, Result};

/// Names that a guest with [`Api`] uses most.
pub(crate) mod prelude {
    pub use kube_core::params::{
        DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions,
        PropagationPolicy, ValidationDirective, VersionMatch, WatchParams,
    };
    pub use kube_core::subresource::{EvictParams, LogParams};
    pub use kube_core::{
        ApiResource, DynamicObject, GroupVersionKind, ObjectList, ObjectMeta, PartialObjectMeta, Resource,
        ResourceExt, WatchEvent,
    };
    pub use kube_core::{Expression, Selector, SelectorExt};

    pub use super::Api;
}

/// Objects of one kind, in one namespace or all: [kube-rs' `Api`](https://docs.rs/kube/latest/kube/struct.Api.html), blocking.
///
/// `K` is a type of k8s-openapi, a custom resource of kube-derive, `DynamicObject` with an `ApiResource`, or `PartialObjectMeta` of
/// one of them. Errors of every operation: as [`Client::send`], and `json` where an object is not what `K` says.
pub struct Api<K> {
    client: Client,
    request: kube_core::Request,
    namespace: Option<String>,
    form: Form,
    kind: PhantomData<fn() -> K>,
}

/// What is asked of the server for `K`.
#[derive(Clone, Copy, Debug)]
enum Form {
    Whole,
    /// `PartialObjectMeta<K>`: the server leaves out all but the metadata.
    Metadata,
}

impl<K: Resource> Api<K> {
    /// All namespaces, or a kind that has none, for a kind that is known at run time.
    pub fn all_with(client: Client, dyntype: &K::DynamicType) -> Self {
        Self::at(client, None, dyntype)
    }

    /// One namespace, for a kind that is known at run time.
    pub fn namespaced_with(client: Client, namespace: &str, dyntype: &K::DynamicType) -> Self
    where
        K: Resource<Scope = DynamicResourceScope>,
    {
        Self::at(client, Some(namespace), dyntype)
    }

    /// The client's default namespace, for a kind that is known at run time.
    pub fn default_namespaced_with(client: Client, dyntype: &K::DynamicType) -> Self
    where
        K: Resource<Scope = DynamicResourceScope>,
    {
        let namespace = client.default_namespace().to_owned();
        Self::namespaced_with(client, &namespace, dyntype)
    }

    fn at(client: Client, namespace: Option<&str>, dyntype: &K::DynamicType) -> Self {
        Self {
            client,
            request: kube_core::Request::new(K::url_path(dyntype, namespace)),
            namespace: namespace.map(str::to_owned),
            form: if K::metadata_api() { Form::Metadata } else { Form::Whole },
            kind: PhantomData,
        }
    }
}

impl<K: Resource<DynamicType: Default>> Api<K> {
    /// All namespaces, or a kind that has none.
    pub fn all(client: Client) -> Self {
        Self::all_with(client, &K::DynamicType::default())
    }

    /// One namespace.
    pub fn namespaced(client: Client, namespace: &str) -> Self
    where
        K: Resource<Scope = NamespaceResourceScope>,
    {
        Self::at(client, Some(namespace), &K::DynamicType::default())
    }

    /// The client's default namespace.
    pub fn default_namespaced(client: Client) -> Self
    where
        K: Resource<Scope = NamespaceResourceScope>,
    {
        let namespace = client.default_namespace().to_owned();
        Self::namespaced(client, &namespace)
    }
}

impl<K> Api<K> {
    /// The namespace; none where this is all of them.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The path of the collection, e.g. `/api/v1/namespaces/default/pods`.
    pub fn resource_url(&self) -> &str {
        &self.request.url_path
    }

    /// The client that this was made with.
    pub fn into_client(self) -> Client {
        self.client
    }

    /// A request for a list, made one for these objects.
    pub(crate) fn narrowed(&self, request: crate::ListRequest) -> crate::ListRequest {
        let request = request.at(self.resource_url());
        match self.form {
            Form::Whole => request,
            Form::Metadata => request.metadata_only(),
        }
    }

    /// Sends what kube-core built and decodes the answer.
    fn call<T: serde::de::DeserializeOwned>(
        &self,
        built: Result<http::Request<Vec<u8>>, kube_core::request::Error>,
    ) -> Result<T> {
        self.client.request(built?)
    }
}

impl<K> Clone for Api<K> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            request: self.request.clone(),
            namespace: self.namespace.clone(),
            form: self.form,
            kind: PhantomData,
        }
    }
}

impl<K> fmt::Debug for Api<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("resource_url", &self.resource_url())
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl<K> From<Api<K>> for Client {
    fn from(api: Api<K>) -> Self {
        api.client
    }
}

fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| crate::Error::json("object", error))
}

fn convert(built: Result<http::Request<Vec<u8>>, kube_core::request::Error>) -> Result<Request> {
    Request::try_from(built?)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Node, Pod};
    use kube_core::params::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchParams};
    use kube_core::subresource::LogParams;

    use super::*;

    /// Whatever kube-core builds, this host takes: two headers, a method and a path that Kubernetes has.
    #[test]
    fn every_request_of_kube_core_is_one_that_a_guest_may_make() {
        let pods = kube_core::Request::new(Pod::url_path(&(), Some("web")));
        let nodes = kube_core::Request::new(Node::url_path(&(), None));
        let (list, post, delete) = (
            ListParams::default().labels("app=a,b!=c").limit(5),
            PostParams::default(),
            DeleteParams::default(),
        );
        let apply = PatchParams::apply("tests").force();
        let patch = |patch: Patch<&str>| pods.patch("a", &PatchParams::default(), &patch);
        let follow = LogParams { follow: true, tail_lines: Some(3), ..LogParams::default() };
        for (built, line) in [
            (nodes.list(&ListParams::default()), "Get /api/v1/nodes"),
            (pods.list(&list), "Get /api/v1/namespaces/web/pods?labelSelector=app%3Da%2Cb%21%3Dc&limit=5"),
            (pods.get("a", &Default::default()), "Get /api/v1/namespaces/web/pods/a"),
            (
                pods.get_metadata("a", &Default::default()),
                "Get /api/v1/namespaces/web/pods/a application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1 application/json",
            ),
            (pods.create(&post, b"{}".to_vec()), "Post /api/v1/namespaces/web/pods application/json"),
            (pods.replace("a", &post, b"{}".to_vec()), "Put /api/v1/namespaces/web/pods/a application/json"),
            (pods.delete("a", &delete), "Delete /api/v1/namespaces/web/pods/a application/json"),
            (
                patch(Patch::Merge("x")),
                "Patch /api/v1/namespaces/web/pods/a application/json application/merge-patch+json",
            ),
            (
                patch(Patch::Strategic("x")),
                "Patch /api/v1/namespaces/web/pods/a application/json application/strategic-merge-patch+json",
            ),
            (
                pods.patch("a", &apply, &Patch::Apply("x")),
                "Patch /api/v1/namespaces/web/pods/a?force=true&fieldManager=tests application/json application/apply-patch+yaml",
            ),
            (
                pods.watch(&WatchParams::default(), "7"),
                "Get /api/v1/namespaces/web/pods?watch=true&timeoutSeconds=290&allowWatchBookmarks=true&resourceVersion=7",
            ),
            (pods.logs("a", &follow), "Get /api/v1/namespaces/web/pods/a/log?follow=true&tailLines=3"),
        ] {
            assert_eq!(convert(built).unwrap().line(), line);
        }
    }
}
