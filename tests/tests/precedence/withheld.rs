//! The order within grants: what is withheld is named, is not touched, and makes no other cluster the program's.

use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Choice, Code, Direct, DirectCredential, Explicit, Options};
use tidegate_tests::Peer;

use crate::{grants, text};

/// A service account and a kubeconfig of the same server, which notes who comes.
struct Withheld {
    peer: Peer,
    options: Options,
}

impl Withheld {
    fn new() -> Withheld {
        let peer = Peer::answering(|asked| asked.or_api(Vec::new));
        let mut options = Options::new("operator/1.0");
        options.in_cluster.folder = Some(peer.folder());
        options.in_cluster.address = Some(peer.address());
        options.kubeconfig.path = Some(peer.kubeconfig());
        Withheld { peer, options }
    }

    /// Code and missing flags; nothing where it connected.
    async fn outcome(&self, grants: Grants, explicit: Option<Explicit>) -> Option<(Code, Vec<String>)> {
        let reached = tidegate::reach_by_precedence(grants, &self.options, explicit).await;
        reached.err().map(|error| (error.code(), error.missing().to_vec()))
    }
}

#[tokio::test]
async fn each_grant_that_is_withheld_is_named() {
    let place = Withheld::new();
    let (folder, file, address) = (place.peer.folder(), place.peer.kubeconfig(), place.peer.address());
    let (net, read) = (Some(address.as_str()), Some(text(&folder)));
    let [read_flag, net_flag] =
        [format!("--allow-read={}", folder.display()), format!("--allow-net={address}")];
    let choice = Some(Explicit::Choice(Choice::ReadKubeConfig { path: Some(file.clone()), context: None }));
    let direct = || {
        let credential = DirectCredential::Header("Bearer hush".to_owned().into());
        Some(Explicit::Direct(Direct { credential, ..Direct::new(place.peer.url()) }))
    };
    let denied = Code::PermissionDenied;
    for (what, flags, explicit, code, missing) in [
        ("the server", vec![(Kind::Read, read)], None, denied, vec![&net_flag]),
        ("its server", vec![(Kind::Read, read)], choice.clone(), denied, vec![&net_flag]),
        (
            "its file",
            vec![(Kind::Net, net)],
            choice,
            denied,
            vec![&format!("--allow-read={}", file.display())],
        ),
        ("a given server", vec![(Kind::Read, read)], direct(), denied, vec![&net_flag]),
        // Neither: both are named.
        ("all", vec![], None, Code::NoClient, vec![&read_flag, &format!("--allow-read={}", file.display())]),
    ] {
        let (told, named) = place.outcome(grants(&flags), explicit).await.unwrap();
        assert_eq!((told, named.iter().collect::<Vec<_>>()), (code, missing), "{what}");
    }
    assert_eq!(place.peer.connections(), 0);
}

/// Whether the folder is there is not even looked at; so the kubeconfig is next, as for whoever is in no pod.
#[tokio::test]
async fn a_folder_that_may_not_be_read_is_not_there() {
    let place = Withheld::new();
    let only = place.peer.kubeconfig();
    let flags = [(Kind::Read, Some(text(&only))), (Kind::Net, None)];
    let reached = tidegate::reach_by_precedence(grants(&flags), &place.options, None).await;
    // Its CA lies beside it and is not granted: what is told is the kubeconfig's.
    let error = reached.unwrap_err();
    let ca = format!("--allow-read={}", place.peer.folder().join("ca.crt").display());
    assert!(error.missing().contains(&ca), "{:?}", error.missing());
    assert_eq!(place.peer.connections(), 0);
}
