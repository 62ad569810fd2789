//! What idle connections cost: bytes, counted by the allocator, and no descriptor.
//!
//! Prints its figures with `--nocapture`; docs/connections.md quotes them.
#![allow(unsafe_code, reason = "an allocator that counts can be had in no other way")]
#![allow(clippy::disallowed_methods, reason = "descriptors are counted in /proc")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tidegate_registry::{Definition, Registry};
use tidegate_transport::{Direct, DirectCredential, Options};

const CONNECTIONS: usize = 10_000;

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

    let before = ALLOCATED.load(Ordering::Relaxed);
    for name in &names {
        let direct = Direct {
            ca: Some(vec![b'A'; 1_100]),
            credential: DirectCredential::Header(format!("Bearer {}", "t".repeat(60)).into()),
            ..Direct::new("https://10.20.30.40:6443")
        };
        registry.register(&format!("direct-{name}"), Definition::direct(direct)).expect("register");
    }
    let direct = (ALLOCATED.load(Ordering::Relaxed) - before) / CONNECTIONS;
    assert_eq!(descriptors(), open, "an idle connection has no descriptor");
    println!("{CONNECTIONS} more as values: {direct} bytes each");
    assert!(direct < 2048, "{direct} bytes each");
    assert!(lookup.as_micros() < 20, "{lookup:?} to look one up");
}
