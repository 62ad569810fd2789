use std::sync::Arc;

use tidegate_authority::{Authority, Needs};

use crate::{Choice, Direct, Error, Failure, Kind, NoClient, Options, Transport};
use crate::{connect, connect_direct, in_cluster};

/// What somebody chose, over whatever is there.
#[derive(Clone, Debug)]
pub enum Explicit {
    /// One of the transports.
    Choice(Choice),
    /// A cluster, piece by piece.
    Direct(Direct),
}

/// Connects as an operator does: to what was chosen; else with the pod's service account where its folder is there; else by the
/// kubeconfig. Other than [`auto_detect`](crate::auto_detect) it never falls through: a service account that is there and broken is an
/// error, and no other cluster is taken instead.
///
/// Where reading the folder is not granted, nobody looks whether it is there. If there is no kubeconfig either, the error names
/// both.
///
/// Errors: those of [`connect`](crate::connect()).
pub async fn connect_by_precedence(
    authority: &Authority,
    options: &Options,
    explicit: Option<Explicit>,
) -> Result<Arc<dyn Transport>, Error> {
    match explicit {
        Some(Explicit::Choice(choice)) => return connect(authority, options, choice).await,
        Some(Explicit::Direct(direct)) => return connect_direct(authority, options, direct).await,
        None => {}
    }
    let folder = in_cluster::folder(&options.in_cluster);
    if !folder.is_absolute() {
        // Nobody can say whether it is there: its own error tells.
        return connect(authority, options, Choice::InCluster).await;
    }
    let kubeconfig = Choice::of_host(Kind::KubeConfig);
    let denied = match authority.approve(&Needs::new().read(&folder)) {
        Ok(approved) => {
            // A folder that cannot be looked at is there: what is wrong with it is then told.
            let there = approved.read(&folder).is_some_and(|folder| folder.exists_now().unwrap_or(true));
            let choice = if there { Choice::InCluster } else { kubeconfig };
            return connect(authority, options, choice).await;
        }
        Err(denied) => Failure::of(Kind::InCluster, &denied.into()),
    };
    connect(authority, options, kubeconfig).await.map_err(|error| match error.code() {
        crate::Code::NotConfigured | crate::Code::PermissionDenied => {
            NoClient { failures: vec![denied, Failure::of(Kind::KubeConfig, &error)] }.into()
        }
        _ => error,
    })
}
