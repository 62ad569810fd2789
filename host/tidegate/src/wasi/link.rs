//! WASI 0.2, interface by interface.

use wasmtime::Result;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{LinkOptions, cli, clocks, filesystem, io, random, sockets};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};
use wasmtime_wasi_http::p2::bindings as web;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use super::{bounded, lookup};
use crate::guest::Guest;

/// Offers one interface.
type Offer = fn(&mut Linker<Guest>) -> Result<()>;

/// All that there are. Looking names up is our own: wasmtime-wasi has one switch for all names.
const INTERFACES: [(&str, Offer); 29] = [
    ("wasi:cli/environment", |linker| cli::environment::add_to_linker::<_, WasiCli>(linker, Guest::cli)),
    ("wasi:cli/exit", |linker| cli::exit::add_to_linker::<_, WasiCli>(linker, Guest::cli)),
    ("wasi:cli/stdin", |linker| cli::stdin::add_to_linker::<_, WasiCli>(linker, Guest::cli)),
    ("wasi:cli/stdout", |linker| cli::stdout::add_to_linker::<_, WasiCli>(linker, Guest::cli)),
    ("wasi:cli/stderr", |linker| cli::stderr::add_to_linker::<_, WasiCli>(linker, Guest::cli)),
    ("wasi:cli/terminal-input", |linker| {
        cli::terminal_input::add_to_linker::<_, WasiCli>(linker, Guest::cli)
    }),
    ("wasi:cli/terminal-output", |linker| {
        cli::terminal_output::add_to_linker::<_, WasiCli>(linker, Guest::cli)
    }),
    ("wasi:cli/terminal-stdin", |linker| {
        cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, Guest::cli)
    }),
    ("wasi:cli/terminal-stdout", |linker| {
        cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, Guest::cli)
    }),
    ("wasi:cli/terminal-stderr", |linker| {
        cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, Guest::cli)
    }),
    ("wasi:clocks/monotonic-clock", |linker| {
        clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(linker, Guest::clocks)
    }),
    ("wasi:clocks/wall-clock", |linker| {
        clocks::wall_clock::add_to_linker::<_, WasiClocks>(linker, Guest::clocks)
    }),
    ("wasi:filesystem/preopens", |linker| {
        filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, Guest::filesystem)
    }),
    ("wasi:filesystem/types", |linker| {
        filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, Guest::filesystem)
    }),
    ("wasi:http/outgoing-handler", |linker| {
        web::http::outgoing_handler::add_to_linker::<_, WasiHttp>(linker, Guest::http)
    }),
    ("wasi:http/types", |linker| {
        let options = web::LinkOptions::default();
        web::http::types::add_to_linker::<_, WasiHttp>(linker, &(&options).into(), Guest::http)
    }),
    ("wasi:io/error", |linker| io::error::add_to_linker::<_, Table>(linker, table)),
    ("wasi:io/poll", |linker| io::poll::add_to_linker::<_, Table>(linker, table)),
    ("wasi:io/streams", |linker| io::streams::add_to_linker::<_, Table>(linker, table)),
    ("wasi:random/insecure", |linker| {
        random::insecure::add_to_linker::<_, WasiRandom>(linker, |guest| guest.wasi.random())
    }),
    ("wasi:random/insecure-seed", |linker| {
        random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, |guest| guest.wasi.random())
    }),
    ("wasi:random/random", |linker| {
        random::random::add_to_linker::<_, WasiRandom>(linker, |guest| guest.wasi.random())
    }),
    ("wasi:sockets/instance-network", |linker| {
        sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, Guest::sockets)
    }),
    ("wasi:sockets/ip-name-lookup", lookup::add_to_linker),
    ("wasi:sockets/network", |linker| {
        let options = LinkOptions::default();
        sockets::network::add_to_linker::<_, WasiSockets>(linker, &(&options).into(), Guest::sockets)
    }),
    ("wasi:sockets/tcp", |linker| sockets::tcp::add_to_linker::<_, WasiSockets>(linker, Guest::sockets)),
    ("wasi:sockets/tcp-create-socket", |linker| {
        sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(linker, Guest::sockets)
    }),
    ("wasi:sockets/udp", |linker| sockets::udp::add_to_linker::<_, WasiSockets>(linker, Guest::sockets)),
    ("wasi:sockets/udp-create-socket", |linker| {
        sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(linker, Guest::sockets)
    }),
];

/// Offers the interfaces that are wanted.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    INTERFACES.iter().filter(|(name, _)| wanted(name)).try_for_each(|(name, offer)| {
        offer(linker)?;
        bounded::add_to_linker(linker, name)
    })
}

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

fn table(guest: &mut Guest) -> &mut ResourceTable {
    &mut guest.table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::OFFERED;

    #[test]
    fn what_inspect_calls_offered_is_offered() {
        let mut offered: Vec<String> = OFFERED
            .iter()
            .filter(|(package, ..)| package.starts_with("wasi:"))
            .flat_map(|(package, _, interfaces)| {
                interfaces.iter().map(move |name| format!("{package}/{name}"))
            })
            .collect();
        offered.sort();
        let mut linked: Vec<&str> = INTERFACES.iter().map(|(name, _)| *name).collect();
        linked.sort_unstable();
        assert_eq!(linked, offered);
    }

    #[test]
    fn what_is_bounded_is_there() {
        for (name, offer) in INTERFACES {
            let Some(shadow) = bounded::shadow(name) else { continue };
            let mut linker = Linker::new(&wasmtime::Engine::default());
            offer(&mut linker).unwrap();
            // Without leave to shadow, what is there already cannot be added.
            assert!(shadow(&mut linker, &format!("{name}@{}", bounded::VERSION)).is_err(), "{name}");
        }
    }

    #[test]
    fn all_of_them_fit_one_linker() {
        let mut linker = Linker::new(&wasmtime::Engine::default());
        add_to_linker(&mut linker, &|_| true).unwrap();
    }
}
