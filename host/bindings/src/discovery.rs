//! `tidegate:host/discovery`: what a server has, through the cache that all guests of a connection share.

use std::sync::Arc;

use tidegate_api::discovery::{Catalog, Group, LookupError, Resource as Kind, Scope, Subresource};
use tidegate_transport::Error;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::wit::tidegate::host::discovery::{Gap, Host, HostApiGroup, HostApiResource};
use crate::{Client, View};

/// A guest's handle to a resource of a server, or to a subresource of it.
pub struct ApiResource {
    resource: Arc<Kind>,
    /// The place of the subresource.
    below: Option<usize>,
}

/// A guest's handle to a group.
pub struct ApiGroup(Group);

impl ApiResource {
    fn subresource(&self) -> Option<&Subresource> {
        self.resource.subresources().get(self.below?)
    }
}

impl From<Arc<Kind>> for ApiResource {
    fn from(resource: Arc<Kind>) -> Self {
        Self { resource, below: None }
    }
}

/// A list of handles, or why there is none.
type Handles<T> = Result<Result<Vec<Resource<T>>, Resource<Error>>>;

impl Host for View<'_> {
    async fn lookup(
        &mut self,
        client: Resource<Client>,
        name: String,
    ) -> Result<Result<Resource<ApiResource>, Resource<Error>>> {
        let discovery = self.discovery(&client)?;
        let found: Result<Arc<Kind>, LookupError> =
            self.aside(async move { discovery.lookup(&name).await }).await;
        self.settle(found.map(ApiResource::from).map_err(Error::from))
    }

    async fn resources(&mut self, client: Resource<Client>) -> Handles<ApiResource> {
        let catalog = self.catalog(&client).await?;
        self.handles(
            catalog.map(|catalog| catalog.preferred_resources().cloned().map(ApiResource::from).collect()),
        )
    }

    async fn all_resources(&mut self, client: Resource<Client>) -> Handles<ApiResource> {
        let catalog = self.catalog(&client).await?;
        self.handles(
            catalog.map(|catalog| catalog.resources().iter().cloned().map(ApiResource::from).collect()),
        )
    }

    async fn groups(&mut self, client: Resource<Client>) -> Handles<ApiGroup> {
        let catalog = self.catalog(&client).await?;
        self.handles(catalog.map(|catalog| catalog.groups().iter().cloned().map(ApiGroup).collect()))
    }

    async fn gaps(&mut self, client: Resource<Client>) -> Result<Result<Vec<Gap>, Resource<Error>>> {
        let catalog = self.catalog(&client).await?;
        self.answer(catalog.map(|catalog| {
            let gaps = catalog.gaps().iter().cloned();
            gaps.map(|gap| Gap { group: gap.group, version: gap.version, why: gap.why }).collect()
        }))
    }

    async fn refresh(&mut self, client: Resource<Client>) -> Result<Result<(), Resource<Error>>> {
        let discovery = self.discovery(&client)?;
        let refreshed = match self.asks().await {
            Ok(()) => self.aside(async move { discovery.refresh().await }).await,
            Err(error) => Err(error),
        };
        self.answer(refreshed.map(drop))
    }
}

impl HostApiResource for View<'_> {
    fn group(&mut self, resource: Resource<ApiResource>) -> Result<String> {
        let resource = self.get(&resource)?;
        Ok(resource.subresource().map_or(resource.resource.group(), Subresource::group).to_owned())
    }

    fn version(&mut self, resource: Resource<ApiResource>) -> Result<String> {
        let resource = self.get(&resource)?;
        Ok(resource.subresource().map_or(resource.resource.version(), Subresource::version).to_owned())
    }

    fn kind(&mut self, resource: Resource<ApiResource>) -> Result<String> {
        let resource = self.get(&resource)?;
        Ok(resource.subresource().map_or(resource.resource.kind(), Subresource::kind).to_owned())
    }

    fn plural(&mut self, resource: Resource<ApiResource>) -> Result<String> {
        let resource = self.get(&resource)?;
        let plural = resource.resource.plural();
        Ok(resource.subresource().map_or(plural.to_owned(), |below| format!("{plural}/{}", below.name())))
    }

    fn singular(&mut self, resource: Resource<ApiResource>) -> Result<String> {
        let resource = self.get(&resource)?;
        Ok(if resource.below.is_some() { String::new() } else { resource.resource.singular().to_owned() })
    }

    fn short_names(&mut self, resource: Resource<ApiResource>) -> Result<Vec<String>> {
        let resource = self.get(&resource)?;
        let none = resource.below.is_some();
        Ok(resource.resource.short_names().filter(|_| !none).map(str::to_owned).collect())
    }

    fn categories(&mut self, resource: Resource<ApiResource>) -> Result<Vec<String>> {
        let resource = self.get(&resource)?;
        let none = resource.below.is_some();
        Ok(resource.resource.categories().filter(|_| !none).map(str::to_owned).collect())
    }

    fn verbs(&mut self, resource: Resource<ApiResource>) -> Result<Vec<String>> {
        let resource = self.get(&resource)?;
        Ok(match resource.subresource() {
            Some(below) => below.verbs().map(str::to_owned).collect(),
            None => resource.resource.verbs().map(str::to_owned).collect(),
        })
    }

    fn namespaced(&mut self, resource: Resource<ApiResource>) -> Result<bool> {
        Ok(self.get(&resource)?.resource.scope() == Scope::Namespaced)
    }

    fn subresources(&mut self, resource: Resource<ApiResource>) -> Result<Vec<String>> {
        let resource = self.get(&resource)?;
        let none = resource.below.is_some();
        let names = resource.resource.subresources().iter().filter(|_| !none);
        Ok(names.map(|below| below.name().to_owned()).collect())
    }

    fn subresource(
        &mut self,
        resource: Resource<ApiResource>,
        name: String,
    ) -> Result<Option<Resource<ApiResource>>> {
        let ApiResource { resource, below: None } = self.get(&resource)? else { return Ok(None) };
        let place = resource.subresources().iter().position(|below| below.name() == name);
        let Some(place) = place else { return Ok(None) };
        let below = ApiResource { resource: resource.clone(), below: Some(place) };
        self.push(below).map(Some)
    }

    fn path(&mut self, resource: Resource<ApiResource>, namespace: Option<String>) -> Result<String> {
        Ok(self.get(&resource)?.resource.path(namespace.as_deref()))
    }

    fn drop(&mut self, resource: Resource<ApiResource>) -> Result<()> {
        self.delete(resource).map(drop)
    }
}

impl HostApiGroup for View<'_> {
    fn name(&mut self, group: Resource<ApiGroup>) -> Result<String> {
        Ok(self.get(&group)?.0.name().to_owned())
    }

    fn versions(&mut self, group: Resource<ApiGroup>) -> Result<Vec<String>> {
        Ok(self.get(&group)?.0.versions().map(str::to_owned).collect())
    }

    fn preferred_version(&mut self, group: Resource<ApiGroup>) -> Result<String> {
        Ok(self.get(&group)?.0.preferred_version().to_owned())
    }

    fn drop(&mut self, group: Resource<ApiGroup>) -> Result<()> {
        self.delete(group).map(drop)
    }
}

impl View<'_> {
    async fn catalog(&mut self, client: &Resource<Client>) -> Result<Result<Arc<Catalog>, Error>> {
        let discovery = self.discovery(client)?;
        Ok(self.aside(async move { discovery.catalog().await }).await)
    }

    /// More than a guest may hold is an error, and no trap: what a server has is not the guest's doing.
    fn handles<T: Send + 'static>(&mut self, made: Result<Vec<T>, Error>) -> Handles<T> {
        let made = match made {
            Ok(made) => made,
            Err(error) => return self.fail(error).map(Err),
        };
        let free = self.table.max_capacity().saturating_sub(self.table.iter_mut().count());
        if made.len() + 16 > free {
            let text = format!("the server has {} of these, more than the handles that are left", made.len());
            let error = Error::new(tidegate_transport::Code::TooLarge, text);
            return self.fail(error).map(Err);
        }
        made.into_iter().map(|one| self.push(one)).collect::<Result<Vec<_>>>().map(Ok)
    }
}
