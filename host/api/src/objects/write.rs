use serde_json::{Value, json};
use tidegate_kube::request::{Method, Request};
use tidegate_transport::Error;

use super::{Objects, Patch, Write, invalid};

impl Objects {
    /// Makes an object, and gives it as the server stored it. `kind` and `apiVersion` are filled in where they are left out, and a name is
    /// made by the server where there is a `generateName` and no name.
    ///
    /// Of a subresource (`eviction`, `token`): makes it of the object that `metadata.name` names.
    pub async fn create(&self, object: &Value, write: &Write) -> Result<Value, Error> {
        let mut request = match &self.subresource {
            None => self.all(Method::Post)?,
            Some(_) => self.at(Method::Post, name_of(object))?,
        };
        write.apply(&mut request);
        self.call(with_body(request, &self.typed(object))).await
    }

    /// Replaces an object whole. With `metadata.resourceVersion` set it is refused as a conflict if the object was changed since.
    pub async fn replace(&self, object: &Value, write: &Write) -> Result<Value, Error> {
        let mut request = self.at(Method::Put, name_of(object))?;
        write.apply(&mut request);
        self.call(with_body(request, &self.typed(object))).await
    }

    /// Changes parts of an object.
    pub async fn patch(&self, name: &str, patch: &Patch, write: &Write) -> Result<Value, Error> {
        let mut request = self.at(Method::Patch, name)?;
        let mut write = write.clone();
        let mut body = patch.body().clone();
        if let Patch::Apply(object, apply) = patch {
            write.field_manager = Some(apply.field_manager.clone());
            if apply.force {
                request.query.push(("force".to_owned(), "true".to_owned()));
            }
            body = self.typed(object);
            // What does not exist yet must say its name.
            if name_of(&body).is_empty() && body.is_object() {
                body["metadata"]["name"] = json!(name);
            }
        }
        write.apply(&mut request);
        let mut request = with_body(request, &body);
        request.content_type = Some(patch.media_type().to_owned());
        self.call(request).await
    }

    /// Server-side apply of an object that carries its name; see [`Patch::Apply`].
    pub async fn apply(&self, object: &Value, apply: super::Apply, write: &Write) -> Result<Value, Error> {
        let name = name_of(object);
        if name.is_empty() {
            return Err(invalid("what is applied must have a metadata.name"));
        }
        self.patch(name, &Patch::Apply(object.clone(), apply), write).await
    }

    /// The object with its kind and version, where it is one of these and does not say.
    fn typed(&self, object: &Value) -> Value {
        let mut object = object.clone();
        if self.subresource.is_none()
            && let Some(members) = object.as_object_mut()
        {
            members.entry("apiVersion").or_insert_with(|| json!(self.resource.api_version()));
            members.entry("kind").or_insert_with(|| json!(self.resource.kind()));
        }
        object
    }
}

pub(super) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

pub(super) fn with_body(mut request: Request, body: &Value) -> Request {
    request.body = Some(body.to_string().into());
    request
}
