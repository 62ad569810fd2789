//! `tidegate connections`.

use crate::{Place, without_secrets};

#[test]
fn connections_are_listed_shown_and_tested() {
    let place = Place::new();
    let listed = place.command("list").run().expect_code(0);
    let expected = [
        "NAME    FROM  WHAT".to_owned(),
        format!("east    file  {}, context x", place.east.kubeconfig().display()),
        "gone    file  /nowhere/kubeconfig".to_owned(),
        format!("west    file  {}", place.west.kubeconfig().display()),
        format!("west-2  file  {}, cluster c, user u", place.west.kubeconfig().display()),
    ];
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), expected);
    let json = place.command("list --json").run().expect_code(0).stdout;
    assert!(json.starts_with("[{\"context\":\"x\",\"from\":\"file\",\"kind\":\"kubeconfig\","), "{json}");

    let shown = place.command("show east").run().expect_code(0);
    without_secrets(&shown);
    for line in [
        "east".to_owned(),
        format!("  from:       file ({})", place.file().display()),
        format!("  server:     {}", place.east.url()),
        "  credential: token: user \"u\"".to_owned(),
        "  grant:      --allow-connection=east".to_owned(),
    ] {
        assert!(shown.stdout.lines().any(|own| own == line), "{line:?} in {}", shown.stdout);
    }
    let json: serde_json::Value =
        serde_json::from_str(&place.command("show east --json").run().expect_code(0).stdout).unwrap();
    assert_eq!(json["credentials"][0]["kind"], "token");
    assert_eq!(json["credentials"][0]["source"], "user \"u\"");
    let shown = place.command("show gone").run().expect_code(0);
    assert!(shown.stdout.contains("problem:"), "{}", shown.stdout);
    let unknown = place.command("show eats").run().expect_code(2);
    assert!(
        unknown.stderr.contains("there is no connection \"eats\"; did you mean east?"),
        "{}",
        unknown.stderr
    );
    assert_eq!((place.east.connections(), place.west.connections()), (0, 0), "nothing was connected so far");

    let tested = place.command("test").run().expect_code(1);
    without_secrets(&tested);
    assert!(tested.stdout.contains(&format!("east    works: {}", place.east.url())), "{}", tested.stdout);
    assert!(tested.stdout.contains("gone    not-configured: "), "{}", tested.stdout);
    let tested = place.command("test east west --json").run().expect_code(0);
    let lines: Vec<&str> = tested.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", tested.stdout);
    assert!(lines[0].contains("\"name\":\"east\"") && lines[0].contains("\"works\":true"), "{}", lines[0]);
    place.command("test wets").run().expect_code(2);
}
