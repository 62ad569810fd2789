//! Minutes of faults and restarts: at the end the store is the server's own, no event was lost on the way, and nothing is left running.
//!
//! Two minutes, or as many as `TIDEGATE_ENDURANCE_MINUTES` says: half of them with faults of the network alone, in which every change of
//! every object must be told once; half with restarts of the server and compactions besides, over which a list makes up for what the
//! server forgot.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate::Reflected;
use tidegate::registry::{Definition, Registry};
use tidegate::transport::Options as Transports;
use tidegate_cluster::{AuthKind, Cluster, Ending, Options, Tools};
use tidegate_tests::{Dice, FaultProxy, Toward};

use super::together::{engine, run, tasks};

/// How many objects come and go.
const OBJECTS: u64 = 40;

/// What the guests do: one that keeps up, one that does not, one that wants to see half of it, one that sees little of each.
const GUESTS: [&str; 4] = [
    "--previous yes --quiet yes",
    "--pause 40 --quiet yes --batch 8",
    "--label-filter tier=even --quiet yes",
    "--view metadata.name --view metadata.namespace --view data.n --previous yes --quiet yes",
];

/// What happens besides writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Network,
    NetworkAndServer,
}

/// How often each object was made, changed and deleted, by `namespace/name`.
type Counts = BTreeMap<String, [u64; 3]>;

/// A server, the proxy before it, and where in it things happen.
struct Place {
    cluster: RwLock<Cluster>,
    proxy: FaultProxy,
}

#[tokio::test(flavor = "current_thread")]
async fn a_store_outlives_faults_and_restarts() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<f64>().expect("a number"));
    let half = Duration::from_secs_f64(number("TIDEGATE_ENDURANCE_MINUTES").unwrap_or(2.0) * 30.0);
    let seed = number("TIDEGATE_SEED").unwrap_or(20.0) as u64;
    let place = Arc::new(Place::start());
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = place.kubeconfig(folder.path());
    let (engine, script) = engine(&folder).await;
    for harm in [Harm::Network, Harm::NetworkAndServer] {
        let registry = Registry::new(Transports::new("fleet/1.4"));
        registry.register("it", Definition::kube_config(&kubeconfig)).unwrap();
        let namespace = format!("endurance-{harm:?}").to_lowercase();
        place.begin(&namespace);
        let mut guests = Vec::new();
        for flags in GUESTS {
            let (script, registry) = (script.clone(), registry.clone());
            let rest = "--idle-deadline 3000 --until zz-end";
            let arguments = format!("{flags} {rest} /api/v1/namespaces/{namespace}/configmaps");
            guests.push(tokio::spawn(async move { run(&script, &registry, "it", &arguments).await }));
        }
        while engine.reflected().bytes == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (own, at) = (place.clone(), namespace.clone());
        let (counts, wanted) =
            tokio::task::spawn_blocking(move || own.live_through(harm, &at, half, seed)).await.unwrap();
        assert_eq!(engine.reflected().stores, 1, "one store for all guests");
        for (guest, flags) in guests.into_iter().zip(GUESTS) {
            let written = tokio::time::timeout(Duration::from_secs(90), guest).await.expect(flags).unwrap();
            check(harm, flags, &written, &counts, &wanted);
        }
        // Nothing is left: no store, no task, no connection.
        drop(registry);
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if engine.reflected() == Reflected::default() && tasks() == 0 && place.proxy.open() == 0 {
                break;
            }
        }
        assert_eq!(
            (engine.reflected(), tasks(), place.proxy.open()),
            (Reflected::default(), 0, 0),
            "{harm:?}"
        );
    }
}

/// What a guest wrote, against what was done and what the server has.
fn check(harm: Harm, flags: &str, written: &str, counts: &Counts, wanted: &BTreeMap<String, Value>) {
    let end = written.lines().last().unwrap_or_default();
    assert!(end.starts_with("done: ") && end.ends_with(" faults 0"), "{harm:?} {flags}: {end}");
    let mut stored: BTreeMap<String, Value> = BTreeMap::new();
    for line in written.lines().filter_map(|line| line.strip_prefix("stored: ")) {
        let object: Value = serde_json::from_str(line).unwrap();
        stored.insert(key(&object), object);
    }
    let sees = |object: &Value| !flags.contains("tier") || object["metadata"]["labels"]["tier"] == "even";
    let seen: BTreeMap<&String, &Value> = wanted.iter().filter(|(_, object)| sees(object)).collect();
    assert_eq!(
        stored.keys().collect::<Vec<_>>(),
        seen.keys().copied().collect::<Vec<_>>(),
        "{harm:?} {flags}"
    );
    for (key, object) in &stored {
        let fields: &[&str] = match flags.contains("--view") {
            true => &["/data/n"],
            false => &["/data", "/metadata/uid", "/metadata/resourceVersion"],
        };
        for field in fields {
            assert_eq!(object.pointer(field), wanted[key].pointer(field), "{harm:?} {flags}: {object}");
        }
    }
    // Who keeps up is told of every change once, whatever the network does.
    if harm == Harm::Network && flags.contains("--previous") {
        let told: Counts = written.lines().filter_map(|line| count(line.strip_prefix("count ")?)).collect();
        assert_eq!(&told, counts, "{flags}");
    }
}

fn count(text: &str) -> Option<(String, [u64; 3])> {
    let (name, numbers) = text.rsplit_once(' ')?;
    let mut numbers = numbers.split('/').map(|number| number.parse().ok());
    Some((name.to_owned(), [numbers.next()??, numbers.next()??, numbers.next()??]))
}

fn key(object: &Value) -> String {
    let of = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    format!("{}/{}", of("namespace"), of("name"))
}

impl Place {
    fn start() -> Place {
        let tools = Tools::ensure(&mut |line| eprintln!("{line}")).unwrap();
        let cluster = Cluster::start(&tools, Options::api_only()).unwrap();
        let proxy = FaultProxy::before(cluster.address());
        Place { cluster: RwLock::new(cluster), proxy }
    }

    /// A kubeconfig that leads to the proxy.
    fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let cluster = self.cluster.read().unwrap();
        let text = std::fs::read_to_string(cluster.kubeconfig(AuthKind::Token)).unwrap();
        let path = folder.join("kubeconfig");
        std::fs::write(
            &path,
            text.replace(&cluster.address().to_string(), &self.proxy.address().to_string()),
        )
        .unwrap();
        path
    }

    /// Makes the namespace, and the one object that is there from the beginning.
    fn begin(&self, namespace: &str) {
        let cluster = self.cluster.read().unwrap();
        let space = json!({"metadata": {"name": namespace}});
        cluster.call("POST", "/api/v1/namespaces", Some(&space)).unwrap();
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        cluster.call("POST", &path, Some(&map("aa-begin", 0))).unwrap();
    }

    /// Writes and does harm for a time; how often what was done to whom, and what there is at the end.
    fn live_through(
        &self,
        harm: Harm,
        namespace: &str,
        time: Duration,
        seed: u64,
    ) -> (Counts, BTreeMap<String, Value>) {
        let ended = AtomicBool::new(false);
        let mut counts = thread::scope(|scope| {
            let writer = scope.spawn(|| self.write(namespace, seed, &ended));
            self.harm(harm, time, Dice::new(seed + 1));
            ended.store(true, Ordering::SeqCst);
            writer.join().unwrap()
        });
        self.proxy.refuse(false);
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        let cluster = self.cluster.read().unwrap();
        cluster.call("POST", &path, Some(&map("zz-end", 0))).unwrap();
        for name in ["aa-begin", "zz-end"] {
            counts.insert(format!("{namespace}/{name}"), [1, 0, 0]);
        }
        let list = cluster.call("GET", &path, None).unwrap();
        let items = list["items"].as_array().unwrap().iter();
        (counts, items.map(|object| (key(object), object.clone())).collect())
    }

    /// Makes, changes and deletes objects, some fifty a second, not through the proxy.
    fn write(&self, namespace: &str, seed: u64, ended: &AtomicBool) -> Counts {
        let (mut dice, mut counts, mut turn) = (Dice::new(seed), Counts::new(), 0);
        let collection = format!("/api/v1/namespaces/{namespace}/configmaps");
        while !ended.load(Ordering::SeqCst) {
            turn += 1;
            let name = format!("o-{:02}", dice.below(OBJECTS));
            let path = format!("{collection}/{name}");
            let object = map(&name, turn);
            let (change, verb, path) = match dice.below(6) {
                0 => (2, "DELETE", path),
                1 | 2 => (0, "POST", collection.clone()),
                _ => (1, "PUT", path),
            };
            let body = (verb != "DELETE").then_some(&object);
            let answer = self.cluster.read().unwrap().send(verb, &path, body);
            // 404 and 409 change nothing; while the server restarts, nobody answers.
            if answer.is_ok_and(|answer| answer.code < 300) {
                counts.entry(format!("{namespace}/{name}")).or_default()[change] += 1;
            }
            thread::sleep(Duration::from_millis(10));
        }
        counts
    }

    fn harm(&self, harm: Harm, time: Duration, mut dice: Dice) {
        let begun = Instant::now();
        let mut restarts = 0;
        while begun.elapsed() < time {
            thread::sleep(Duration::from_millis(500 + dice.below(3000)));
            let most = if harm == Harm::Network { 5 } else { 8 };
            match dice.below(most) {
                0 | 1 => self.proxy.cut_all(),
                2 => self.proxy.reset_all(),
                3 => {
                    self.proxy.refuse(true);
                    self.proxy.cut_all();
                    thread::sleep(Duration::from_millis(dice.below(1500)));
                    self.proxy.refuse(false);
                }
                4 => {
                    // Nobody is told: it takes the idle deadline to find out, or else a change that is missed.
                    let toward = [Toward::Client, Toward::Server][dice.below(2) as usize];
                    self.proxy.stall_all(toward);
                    thread::sleep(Duration::from_millis(3000 + dice.below(5000)));
                }
                5 => drop(self.cluster.read().unwrap().compact()),
                _ if begun.elapsed() < time / 4 * (restarts + 1) => {}
                _ => {
                    restarts += 1;
                    let how = if restarts % 2 == 1 { Ending::Killed } else { Ending::Asked };
                    self.cluster.write().unwrap().restart_api_server(how).unwrap();
                }
            }
        }
    }
}

/// An object: its label says whether `n` is even.
fn map(name: &str, n: u64) -> Value {
    let tier = if n.is_multiple_of(2) { "even" } else { "odd" };
    let load = "y".repeat(300);
    json!({"metadata": {"name": name, "labels": {"tier": tier}}, "data": {"n": n.to_string(), "load": load}})
}
