//! What 10,000 idle connections cost the process that registers them: memory as the kernel counts it, and no descriptor. Alone in its process,
//! so that nothing else is counted. What each weighs to the byte, the registry's own test says.

use std::sync::Arc;

use tidegate::registry::{Definition, Registry};
use tidegate::transport::{Direct, DirectCredential, Options};

const CONNECTIONS: usize = 10_000;

/// Of A11, for each.
const BOUND: usize = 2048;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Bytes that this process holds in memory of its own.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn ten_thousand_idle_connections_of_each_kind() {
    let registry = Registry::new(Options::new("fleet/1.4"));
    let shared: Arc<[u8]> = vec![b'A'; 1_100].into();
    let direct = |ca: &Arc<[u8]>, token: usize| {
        let credential = DirectCredential::Header(format!("Bearer {}", "t".repeat(token)).into());
        Definition::direct(Direct {
            ca: Some(ca.clone()),
            credential,
            ..Direct::new("https://10.20.30.40:6443")
        })
    };
    type Define<'a> = Box<dyn Fn(&str) -> Definition + 'a>;
    let kinds: [(&str, Define<'_>); 4] = [
        ("kubeconfig", Box::new(|name| Definition::context(format!("/srv/{name}/kubeconfig"), name))),
        ("service account", Box::new(|_| Definition::service_account())),
        // A service account's token; the tenants of one authority share it.
        ("values, one authority", Box::new(|_| direct(&shared, 1_150))),
        ("values, an authority each", Box::new(|_| direct(&vec![b'A'; 1_100].into(), 60))),
    ];
    let open = descriptors();
    for (what, define) in kinds {
        let before = resident();
        for tenant in 0..CONNECTIONS {
            let name = format!("{what} {tenant}");
            registry.register(&name, define(&name)).unwrap();
        }
        let each = resident().saturating_sub(before) / CONNECTIONS;
        println!("{what}: {each} bytes each");
        assert!(each < BOUND, "{what}: {each} bytes each");
    }
    assert_eq!((registry.len(), descriptors()), (4 * CONNECTIONS, open));
}
