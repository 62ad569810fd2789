//! OpenID Connect against a real API server and an issuer of the test's own: id-tokens that end and are refreshed.

use std::process::Stdio;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use tidegate_cluster::{Cluster, Options, Shared};
use tidegate_tests::{CLIENT, Grant, Issuer, REVIEW, Run, Who};

static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::start);

/// An API server that takes the issuer's tokens.
fn cluster() -> &'static Cluster {
    static CLUSTER: Shared = Shared::new(|| {
        Options::api_only()
            .api_server_flag(format!("--oidc-issuer-url={}", ISSUER.url()))
            .api_server_flag(format!("--oidc-ca-file={}", ISSUER.authority().display()))
            .api_server_flag(format!("--oidc-client-id={}", CLIENT.0))
            .api_server_flag("--oidc-signing-algs=ES256")
            .api_server_flag("--oidc-username-claim=email")
            .api_server_flag("--oidc-groups-claim=groups")
    });
    CLUSTER.get().unwrap()
}

#[test]
fn openid_connect_refreshes_through_the_issuer() {
    let place = Who::at(cluster());
    let grant = Grant {
        email: "olga@example.com".to_owned(),
        groups: vec!["night".to_owned()],
        lifetime: Duration::from_secs(4),
    };
    let old = ISSUER.token(&grant, SystemTime::now() - Duration::from_secs(3600));
    let refresh = ISSUER.refresh_token(grant.clone());
    std::fs::copy(ISSUER.authority(), place.folder().join("issuer.crt")).unwrap();
    let user = |more: &str| {
        format!(
            "{{auth-provider: {{name: oidc, config: {{idp-issuer-url: '{}', client-id: '{}', client-secret: '{}', \
             idp-certificate-authority: '{}', {more}}}}}}}",
            ISSUER.url(),
            CLIENT.0,
            CLIENT.1,
            place.folder().join("issuer.crt").display(),
        )
    };
    let both = user(&format!("id-token: '{old}', refresh-token: '{refresh}'"));

    // Withheld, the issuer is named beforehand, and its refresh token is not spent.
    let outcome = place.run(&both, &[REVIEW]).run();
    let told = format!("--allow-net={}", ISSUER.address());
    assert!(outcome.everything().contains(&told), "{outcome:?}");
    let refreshes = || ISSUER.seen().iter().filter(|asked| asked.target == "/token").count();
    assert_eq!(refreshes(), 0);

    // The old token is over: it is refreshed before anything is asked, and again once the new one is over.
    let granted = |run: Run| run.flag(format!("--allow-net={}", ISSUER.address()));
    let mut live = granted(place.run(&both, &[REVIEW, "@wait", REVIEW])).live_with(Stdio::piped());
    let first = live.line_of("item 1");
    assert!(first.contains("\"username\":\"olga@example.com\"") && first.contains("\"night\""), "{first}");
    live.line_of("waiting");
    let before = refreshes();
    assert!(before >= 1);
    std::thread::sleep(Duration::from_secs(5));
    live.write("\n");
    assert!(live.line_of("item 1").contains("olga@example.com"));
    assert!(refreshes() > before, "it is not refreshed again");

    // A token that lasts needs no issuer.
    let lasting = Grant { lifetime: Duration::from_secs(3600), ..grant };
    let token = ISSUER.token(&lasting, SystemTime::now());
    let run = place.run(&user(&format!("id-token: '{token}'")), &[REVIEW]);
    run.run().expect_code(0).expect_user("olga@example.com");
}
