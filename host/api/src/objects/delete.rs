use futures_util::TryStreamExt;
use serde_json::Value;
use tidegate_kube::request::Method;
use tidegate_transport::Error;

use super::write::{name_of, with_body};
use super::{Delete, List, Objects, Preconditions, has_code, in_order, is_not_found};

/// How many deletes are under way where they are made one by one.
const AT_ONCE: usize = 8;

impl Objects {
    /// Deletes an object. What is given is the object where it still exists (a finalizer or a grace period comes first), or a `Status`.
    pub async fn delete(&self, name: &str, delete: &Delete) -> Result<Value, Error> {
        let request = self.at(Method::Delete, name)?;
        self.call(with_body(request, &delete.body())).await
    }

    /// Deletes what is selected, and gives it, as it was last seen. In one request where the resource allows it; one by one where it does not:
    /// where it lacks the verb `deletecollection`, or the server answers 405, or where all namespaces are meant of a resource that has them.
    ///
    /// One by one, an object that is gone by then is no error, one that is new by then stays, and the first error ends it.
    pub async fn delete_all(&self, delete: &Delete, list: &List) -> Result<Vec<Value>, Error> {
        let found: Vec<Value> = self.stream(list).try_collect().await?;
        let of_all = self.namespace.is_none() && self.resource.scope() == crate::discovery::Scope::Namespaced;
        if self.resource.can("deletecollection") && !of_all {
            let mut request = self.all(Method::Delete)?;
            list.apply(&mut request);
            match self.send(with_body(request, &delete.body())).await {
                Ok(response) => {
                    response.body.whole(super::MAX_BODY).await?;
                    return Ok(found);
                }
                Err(error) if has_code(&error, 405) => {}
                Err(error) => return Err(error),
            }
        }
        let deletes = found.into_iter().map(|object| async move {
            let was_there = self.delete_exactly(&object, delete).await?;
            Ok::<_, Error>(was_there.then_some(object))
        });
        let deleted: Vec<Option<Value>> = in_order(AT_ONCE, deletes).try_collect().await?;
        Ok(deleted.into_iter().flatten().collect())
    }

    /// Deletes this very object, and no other that has its name by now; whether it was there.
    async fn delete_exactly(&self, object: &Value, delete: &Delete) -> Result<bool, Error> {
        let mut objects = self.clone();
        if let Some(namespace) = object["metadata"]["namespace"].as_str() {
            objects = objects.within(namespace);
        }
        let mut delete = delete.clone();
        let uid = object["metadata"]["uid"].as_str().map(str::to_owned);
        delete.preconditions.get_or_insert_with(Preconditions::default).uid = uid;
        match objects.delete(name_of(object), &delete).await {
            Ok(_) => Ok(true),
            // Gone, or another object by now.
            Err(error) if is_not_found(&error) || has_code(&error, 409) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
