use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::Value;
use tidegate_kube::request::Method;
use tidegate_transport::{Code, Error};

use super::{List, Objects, has_code};

/// How many objects a page holds unless it is said: what kubectl asks for.
const PAGE: u32 = 500;

/// A list, or one page of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Page {
    /// What the list says of itself.
    #[serde(default)]
    metadata: Metadata,
    /// The objects. Old servers write null for none.
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    continue_token: String,
    #[serde(default)]
    remaining_item_count: Option<i64>,
}

impl Page {
    /// The objects.
    pub fn items(&self) -> &[Value] {
        self.items.as_deref().unwrap_or_default()
    }

    /// The objects, taken out.
    pub fn into_items(self) -> Vec<Value> {
        self.items.unwrap_or_default()
    }

    /// The state of the cluster that the list shows; the same for all its pages. A watch can begin here.
    pub fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Names the next page; none at the last.
    pub fn continue_token(&self) -> Option<&str> {
        Some(self.metadata.continue_token.as_str()).filter(|token| !token.is_empty())
    }

    /// How many objects come after this page, where the server knows.
    pub fn remaining(&self) -> Option<i64> {
        self.metadata.remaining_item_count
    }
}

impl Objects {
    /// One list, or the page that `limit` and `continue_token` name.
    pub async fn list(&self, list: &List) -> Result<Page, Error> {
        let mut request = self.all(Method::Get)?;
        list.apply(&mut request);
        self.call(request).await
    }

    /// The pages of a list as they are asked for, all from one state of the cluster; ends after an error.
    ///
    /// Errors: a server forgets that state after some minutes. Then the error is its 410, saying how many objects had been given: a list
    /// must begin anew, since what was given may be gone by now.
    pub fn pages(&self, list: &List) -> impl Stream<Item = Result<Page, Error>> + Send + use<> {
        let mut list = list.clone();
        list.limit.get_or_insert(PAGE);
        stream::unfold(Some((self.clone(), list, 0)), |next| async move {
            let (objects, mut list, given) = next?;
            match objects.list(&list).await {
                Err(error) => Some((Err(expired(error, given)), None)),
                Ok(page) => {
                    let given = given + page.items().len();
                    let token = page.continue_token().map(str::to_owned);
                    // A server that names the same page again would be asked for ever.
                    if token.is_some() && token == list.continue_token {
                        let error = Error::new(Code::Protocol, "the server names the same page twice");
                        return Some((Err(error), None));
                    }
                    let more = token.is_some();
                    list.continue_token = token;
                    Some((Ok(page), more.then_some((objects, list, given))))
                }
            }
        })
    }

    /// The objects of all pages; see [`pages`](Objects::pages).
    pub fn stream(&self, list: &List) -> impl Stream<Item = Result<Value, Error>> + Send + use<> {
        let pages = self.pages(list).map_ok(|page| stream::iter(page.into_items()).map(Ok));
        pages.try_flatten()
    }
}

fn expired(error: Error, given: usize) -> Error {
    match error.status() {
        Some(status) if has_code(&error, 410) && given > 0 => {
            let mut status = status.clone();
            status.message =
                format!("the list expired after {given} objects and must begin anew: {}", status.message);
            Error::from_status(status)
        }
        _ => error,
    }
}
