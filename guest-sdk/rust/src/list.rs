//! Lists, page by page.

use std::vec;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Client, Request, Result};

/// How many items a page has where the caller did not say: what kubectl asks for.
pub(crate) const PAGE: u32 = 500;

/// One page of a list, for item types of your own; [`Client::pages`] gives it. With the feature `kube`, `Api::pages` gives an `ObjectList`.
#[derive(Clone, Debug, Default, Deserialize)]
#[non_exhaustive]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct List<T> {
    /// What the list says of itself.
    #[serde(default)]
    pub metadata: ListMeta,
    /// What was listed; `null` of an old server is the same as none.
    #[serde(deserialize_with = "null_is_empty")]
    pub items: Vec<T>,
}

/// `ListMeta` of apimachinery.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ListMeta {
    /// The state of the cluster that the list shows; the same for all its pages. A watch can begin here.
    pub resource_version: String,
    /// Names the next page; empty at the last.
    #[serde(rename = "continue")]
    pub continue_token: String,
    /// How many items come after this page, where the server knows.
    pub remaining_item_count: Option<i64>,
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Client {
    /// The pages of a list, of `limit` items each (500 unless the request says otherwise), all from one state of the cluster.
    ///
    /// A server forgets that state after some minutes: then the error is 410 ([`crate::Error::is_gone`]), and the list must begin anew.
    pub fn pages<T: DeserializeOwned>(&self, request: Request) -> Pages<List<T>> {
        let request =
            if request.has_query("limit") { request } else { request.query("limit", PAGE.to_string()) };
        Pages::new(self.clone(), move |token| {
            Ok(match token {
                None => request.clone(),
                Some(token) => request.continued(token),
            })
        })
    }

    /// The items of all pages; see [`Client::pages`].
    pub fn items<T: DeserializeOwned>(&self, request: Request) -> Items<List<T>> {
        self.pages(request).into_items()
    }
}

type NextRequest = dyn Fn(Option<&str>) -> Result<Request>;

/// Pages of a list, fetched as they are asked for. Ends after an error.
pub struct Pages<P> {
    client: Client,
    /// Builds the request for the first page, or for the one that a token names.
    request: Box<NextRequest>,
    next: Next,
    page: std::marker::PhantomData<fn() -> P>,
}

enum Next {
    First,
    Token(String),
    None,
}

impl<P: Page> Pages<P> {
    pub(crate) fn new(client: Client, request: impl Fn(Option<&str>) -> Result<Request> + 'static) -> Self {
        Self { client, request: Box::new(request), next: Next::First, page: std::marker::PhantomData }
    }

    /// The items of all pages.
    pub fn into_items(self) -> Items<P> {
        Items { pages: self, page: Vec::new().into_iter() }
    }

    fn fetch(&mut self) -> Option<Result<P>> {
        let request = match std::mem::replace(&mut self.next, Next::None) {
            Next::None => return None,
            Next::First => (self.request)(None),
            Next::Token(token) => (self.request)(Some(&token)),
        };
        Some(request.and_then(|request| self.client.request::<P>(request)).inspect(|page| {
            if let Some(token) = page.token().filter(|token| !token.is_empty()) {
                self.next = Next::Token(token.to_owned());
            }
        }))
    }
}

impl<P: Page> Iterator for Pages<P> {
    type Item = Result<P>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fetch()
    }
}

impl<P> std::fmt::Debug for Pages<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Items of a list, its pages fetched as they are needed. Ends after an error.
pub struct Items<P: Page> {
    pages: Pages<P>,
    page: vec::IntoIter<P::Item>,
}

impl<P: Page> Iterator for Items<P> {
    type Item = Result<P::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.page.next() {
                return Some(Ok(item));
            }
            match self.pages.next()? {
                Ok(page) => self.page = page.into_items().into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<P: Page> std::fmt::Debug for Items<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Items").field("pages", &self.pages).finish_non_exhaustive()
    }
}

/// One page of a list: [`List`] or kube-core's `ObjectList`.
pub trait Page: DeserializeOwned {
    /// What is listed.
    type Item;
    /// The `continue` token, where there is another page.
    fn token(&self) -> Option<&str>;
    /// What this page holds.
    fn into_items(self) -> Vec<Self::Item>;
}

impl<T: DeserializeOwned> Page for List<T> {
    type Item = T;

    fn token(&self) -> Option<&str> {
        Some(&self.metadata.continue_token)
    }

    fn into_items(self) -> Vec<T> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_servers_write_them() {
        for (text, items, token) in [
            (r#"{"metadata":{"resourceVersion":"7"},"items":[1,2]}"#, 2, ""),
            (
                r#"{"kind":"PodList","metadata":{"continue":"abc","remainingItemCount":3},"items":[1]}"#,
                1,
                "abc",
            ),
            (r#"{"metadata":{},"items":null}"#, 0, ""),
            (r#"{"items":[]}"#, 0, ""),
        ] {
            let list: List<u8> = serde_json::from_str(text).unwrap();
            assert_eq!((list.items.len(), list.metadata.continue_token.as_str()), (items, token), "{text}");
        }
        assert!(serde_json::from_str::<List<u8>>(r#"{"kind":"Status"}"#).is_err(), "a Status is no list");
    }
}
