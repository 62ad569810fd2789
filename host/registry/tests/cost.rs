//! What idle connections cost: bytes, counted by the allocator, and no descriptor.
//!
//! Prints its figures with `--nocapture`; docs/connections.md quotes them.
#![allow(unsafe_code, reason = "an allocator that counts can be had in no other way")]
#![allow(clippy::disallowed_methods, reason = "descriptors are counted in /proc")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tidegate_registry::{Definition, Registry};
use tidegate_transport::{Direct, DirectCredential, Options};

const CONNECTIONS: usize = 10_000;

/// What a CA of a cluster weighs, and a service account's token: RSA 2048 and the claims of Kubernetes 1.36.
const CA: usize = 1_100;
const TOKEN: usize = 1_150;

/// The most that a connection may weigh besides what it was given.
const OWN: usize = 700;

/// The system's allocator, with what is allocated now.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's own, with the arguments that it was given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("descriptors").count()
}

#[test]
fn ten_thousand_idle_connections() {
    let registry = Registry::new(Options::new("tidegate/test"));
    let names: Vec<String> =
        (0..CONNECTIONS).map(|number| format!("tenant-{number:05}.clusters.example")).collect();
    let (before, open) = (ALLOCATED.load(Ordering::Relaxed), descriptors());
    for name in &names {
        let path = format!("/srv/tenants/{name}/credentials/kubeconfig.yaml");
        registry.register(name, Definition::context(path, format!("{name}-admin"))).expect("register");
    }
    let each = (ALLOCATED.load(Ordering::Relaxed) - before) / CONNECTIONS;
    assert_eq!(registry.len(), CONNECTIONS);
    assert_eq!(descriptors(), open, "an idle connection has no descriptor");

    let start = Instant::now();
    let rounds = 20;
    for _ in 0..rounds {
        for name in &names {
            assert!(black_box(registry.lookup(black_box(name))).is_some());
        }
    }
    let lookup = start.elapsed() / (rounds * CONNECTIONS as u32);
    println!("{CONNECTIONS} idle connections: {each} bytes each, {lookup:?} to look one up");
    assert!(each < 2048, "{each} bytes each");

    // As values: a token as a pod's service account has one, and the CA of a cluster, or of all of them.
    let one: Arc<[u8]> = vec![b'A'; CA].into();
    for (what, token, ca) in [
        ("a short token, a CA of its own", 60, None),
        ("a service account's token, a CA that is shared", TOKEN, Some(&one)),
        ("a service account's token, a CA of its own", TOKEN, None),
    ] {
        let before = ALLOCATED.load(Ordering::Relaxed);
        for name in &names {
            let direct = Direct {
                ca: Some(ca.cloned().unwrap_or_else(|| vec![b'A'; CA].into())),
                credential: DirectCredential::Header(format!("Bearer {}", "t".repeat(token)).into()),
                ..Direct::new("https://10.20.30.40:6443")
            };
            let name = format!("{what} {name}");
            registry.register(&name, Definition::direct(direct)).expect("register");
        }
        let each = (ALLOCATED.load(Ordering::Relaxed) - before) / CONNECTIONS;
        let given = token + "Bearer ".len() + if ca.is_some() { 0 } else { CA };
        assert_eq!(descriptors(), open, "an idle connection has no descriptor");
        println!("{CONNECTIONS} more with {what}: {each} bytes each, {given} of them credential and CA");
        assert!(each < 2048 || given > 2048 - OWN, "{each} bytes each");
        assert!(each - given < OWN, "{each} bytes each, of which {given} are what it was given");
    }
    assert!(lookup.as_micros() < 20, "{lookup:?} to look one up");
}
