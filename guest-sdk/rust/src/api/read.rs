//! Reading: get, list, pages.

use kube_core::params::{GetParams, ListParams, VersionMatch};
use kube_core::{ObjectList, PartialObjectMeta};
use serde::de::DeserializeOwned;

use super::{Api, Form, convert};
use crate::list::PAGE;
use crate::{Items, ListRequest, Page, Pages, Result};

impl<K: Clone + DeserializeOwned> Api<K> {
    /// One object by name.
    pub fn get(&self, name: &str) -> Result<K> {
        self.get_with(name, &GetParams::default())
    }

    /// One object by name, at least as new as the parameters say.
    pub fn get_with(&self, name: &str, gp: &GetParams) -> Result<K> {
        self.call(match self.form {
            Form::Whole => self.request.get(name, gp),
            Form::Metadata => self.request.get_metadata(name, gp),
        })
    }

    /// One object by name; none where the server says 404.
    pub fn get_opt(&self, name: &str) -> Result<Option<K>> {
        found(self.get(name))
    }

    /// The metadata of one object. Needs a transport that [`supports`](crate::Client::supports) `accept`.
    pub fn get_metadata(&self, name: &str) -> Result<PartialObjectMeta<K>> {
        self.call(self.request.get_metadata(name, &GetParams::default()))
    }

    /// The metadata of one object; none where the server says 404.
    pub fn get_metadata_opt(&self, name: &str) -> Result<Option<PartialObjectMeta<K>>> {
        found(self.get_metadata(name))
    }

    /// A list, or the page of it that `limit` and `continue_token` name.
    pub fn list(&self, lp: &ListParams) -> Result<ObjectList<K>> {
        self.call(self.list_request(lp))
    }

    /// A list of metadata. Needs a transport that [`supports`](crate::Client::supports) `accept`.
    pub fn list_metadata(&self, lp: &ListParams) -> Result<ObjectList<PartialObjectMeta<K>>> {
        self.call(self.request.list_metadata(lp))
    }

    /// The pages of a list, of `limit` items each (500 unless `lp` says otherwise), all from one state of the cluster.
    ///
    /// A server forgets that state after some minutes: then the error is 410 ([`crate::Error::is_gone`]), and the list must begin anew.
    pub fn pages(&self, lp: &ListParams) -> Pages<ObjectList<K>>
    where
        K: 'static,
    {
        let (api, mut lp) = (self.clone(), lp.clone());
        lp.limit.get_or_insert(PAGE);
        Pages::new(self.client.clone(), move |token| {
            convert(match token {
                None => api.list_request(&lp),
                Some(token) => api.list_request(&lp.clone().continue_token(token)),
            })
        })
    }

    /// The items of all pages; see [`Api::pages`].
    pub fn iter(&self, lp: &ListParams) -> Items<ObjectList<K>>
    where
        K: 'static,
    {
        self.pages(lp).into_items()
    }

    /// The items of a list as they arrive, of just the fields that `mask` names (all where it names none), decoded into `K`, whose other
    /// fields are then empty. See [`ListRequest`], which can do more.
    pub fn list_stream(
        &self,
        lp: &ListParams,
        mask: &[&str],
    ) -> Result<impl Iterator<Item = Result<K>> + use<K>> {
        Ok(self.client.open_items(&self.list_items(lp, mask))?.decode())
    }

    /// All items of a list, by pages.
    pub fn read_all_items(&self, lp: &ListParams) -> Result<Vec<K>> {
        self.list_stream(lp, &[])?.collect()
    }

    /// The request of [`Api::list_stream`], to which filters and a source can be added.
    pub fn list_items(&self, lp: &ListParams, mask: &[&str]) -> ListRequest {
        let mut request = ListRequest::new(self.resource_url()).mask(mask.iter().copied());
        if let Some(labels) = &lp.label_selector {
            request = request.labels(labels);
        }
        if let Some(fields) = &lp.field_selector {
            request = request.fields(fields);
        }
        if let Some(limit) = lp.limit {
            request = request.limit(limit);
        }
        if let Some(version) = &lp.resource_version {
            let rule = lp.version_match.as_ref().map(|rule| match rule {
                VersionMatch::Exact => "Exact",
                VersionMatch::NotOlderThan => "NotOlderThan",
            });
            request = request.resource_version(version, rule);
        }
        self.narrowed(request)
    }

    fn list_request(&self, lp: &ListParams) -> Result<http::Request<Vec<u8>>, kube_core::request::Error> {
        match self.form {
            Form::Whole => self.request.list(lp),
            Form::Metadata => self.request.list_metadata(lp),
        }
    }
}

impl<K: Clone + DeserializeOwned> Page for ObjectList<K> {
    type Item = K;

    fn token(&self) -> Option<&str> {
        self.metadata.continue_.as_deref()
    }

    fn into_items(self) -> Vec<K> {
        self.items
    }
}

fn found<T>(got: Result<T>) -> Result<Option<T>> {
    match got {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
