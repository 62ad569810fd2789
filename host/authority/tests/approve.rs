//! A round is approved whole or names everything that it lacks.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use tidegate_authority::{Authority, Needs};
use tidegate_grants::{Endpoint, Grants, Kind, Need, Verdict};

fn authority(variables: &[(&str, &[u8])]) -> Authority {
    let mut builder = Grants::builder();
    builder.allow(Kind::Env, Some("HOME,UNSET,BINARY")).unwrap();
    builder.allow(Kind::Read, Some("/etc")).unwrap().deny(Kind::Read, Some("/etc/ssl")).unwrap();
    let variables =
        variables.iter().map(|(name, value)| (OsString::from(name), OsString::from_vec(value.to_vec())));
    Authority::from_ambient(builder.build()).with_environment(variables)
}

#[test]
fn a_round_names_all_that_it_lacks_at_once() {
    let needs = Needs::new()
        .env("HOME")
        .env("KUBECONFIG")
        .read("/etc/ssl/key")
        .read("/var/lib/x/")
        .net(Endpoint::parse("k8s.corp:6443").unwrap())
        .run("kubectl")
        .optional_env("ALSO_NOT_GRANTED");
    let denied = authority(&[]).approve(&needs).unwrap_err();
    assert_eq!(
        denied.flags(),
        [
            "--allow-env=KUBECONFIG",
            "--allow-read=/var/lib/x",
            "--allow-net=k8s.corp:6443",
            "--allow-run=kubectl"
        ]
    );
    assert_eq!(
        denied.to_string(),
        "read access to \"/etc/ssl/key\", which --deny-read=/etc/ssl refuses, run again without it; access to environment \
         variable \"KUBECONFIG\", read access to \"/var/lib/x\", network access to \"k8s.corp:6443\" and access to run \
         \"kubectl\", run again with --allow-env=KUBECONFIG --allow-read=/var/lib/x --allow-net=k8s.corp:6443 \
         --allow-run=kubectl"
    );
}

#[test]
fn optional_needs_are_left_out_and_never_refuse() {
    let needs = Needs::new()
        .optional_env("HOME")
        .optional_env("SECRET")
        .optional_read("/etc/hosts")
        .optional_run("sh");
    let approved = authority(&[("HOME", b"/home/u"), ("SECRET", b"s")]).approve(&needs).unwrap();
    assert_eq!(approved.env("HOME").unwrap().value(), Some("/home/u".into()));
    assert!(approved.env("SECRET").is_none());
    assert!(approved.run("sh").is_none());
    assert!(approved.read(Path::new("/etc/hosts")).is_some());
    assert!(approved.read(Path::new("/etc//./hosts")).is_some(), "paths are compared normalised");
    assert!(approved.read(Path::new("/etc/passwd")).is_none(), "granted, but no part of this round");
    assert!(approved.read(Path::new("etc/hosts")).is_none());
}

#[test]
fn a_granted_variable_may_be_unset_or_no_text() {
    let needs = Needs::new().env("UNSET").env("BINARY");
    let approved = authority(&[("BINARY", b"a\xff")]).approve(&needs).unwrap();
    assert_eq!(approved.env("UNSET").unwrap().value(), None);
    assert_eq!(approved.env("BINARY").unwrap().value(), Some(OsString::from_vec(b"a\xff".to_vec())));
}

#[test]
fn neither_grants_nor_authorities_show_values() {
    let authority = authority(&[("HOME", b"hunter2")]);
    let approved = authority.approve(&Needs::new().env("HOME")).unwrap();
    let shown = format!("{authority:?} {approved:?} {:?}", approved.env("HOME").unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn needs_say_each_thing_once() {
    let needs = Needs::new().read("/a/").read("/a").read("/a/b/..").env("A").env("A");
    assert_eq!(needs.required(), [Need::Read("/a".into()), Need::Env("A".into())]);
    assert!(Needs::new().is_empty());
}

#[test]
fn the_systems_own_links_are_seen_through() {
    // Where this system has no such link, both names are the same folder's and the test says nothing.
    let Ok(real) = std::fs::canonicalize("/var/run") else { return };
    let text = real.to_str().unwrap();
    let judge = |allow: &str, deny: Option<&str>, path: &str| {
        let mut builder = Grants::builder();
        builder.allow(Kind::Read, Some(allow)).unwrap();
        if deny.is_some() {
            builder.deny(Kind::Read, deny).unwrap();
        }
        Authority::from_ambient(builder.build()).query(&Need::Read(path.into()))
    };
    assert!(judge(text, None, "/var/run/x").is_granted());
    assert!(judge("/var/run", None, &format!("{text}/x")).is_granted());
    assert!(judge("/var/run/x", None, &format!("{text}/x/y")).is_granted());
    assert_eq!(judge("/var/run/x", None, "/var/run/y"), Verdict::Missing);
    if real != Path::new("/var/run") {
        let denied = judge("/var", Some(text), "/var/run/x");
        assert!(matches!(denied, Verdict::Denied { .. }), "{denied:?}");
    }
}

#[test]
fn a_guest_sees_the_variables_that_wasi_env_grants_and_no_others() {
    let mut builder = Grants::builder();
    builder.allow(Kind::Env, None).unwrap().wasi(Kind::Env, Some("APP_*,LANG")).unwrap();
    builder.deny(Kind::Env, Some("APP_SECRET")).unwrap();
    let variables = [("APP_MODE", "x"), ("APP_SECRET", "s"), ("HOME", "/h"), ("LANG", "C")];
    let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let binary = [(OsString::from("APP_BINARY"), OsString::from_vec(vec![0xff]))];
    let authority =
        Authority::from_ambient(builder.build()).with_environment(variables.into_iter().chain(binary));
    let seen = authority.guest_variables();
    assert_eq!(
        seen,
        [("APP_MODE", "x"), ("LANG", "C")].map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}
