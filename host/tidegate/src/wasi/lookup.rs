//! `wasi:sockets/ip-name-lookup` that asks for granted names only: wasmtime-wasi has one switch for all, and a look-up alone can carry
//! data out.

use std::net::IpAddr;
use std::sync::Arc;
use std::vec;

use tidegate_transport::{Meter, Slot};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::{DynPollable, Network, Pollable, subscribe};

use super::net::{LOOK_UP, Reach, Refused};
use crate::guest::Guest;
use wit::wasi::sockets::ip_name_lookup::{Host, HostResolveAddressStream};
use wit::wasi::sockets::network::{ErrorCode, IpAddress};

/// How long a name may be: more than any of DNS.
const NAME: usize = 1024;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from WASI, which documents every item"
)]
mod wit {
    wasmtime::component::bindgen!({
        inline: "
            package tidegate:lookup;

            world lookup {
                import wasi:sockets/ip-name-lookup@0.2.12;
            }

            package wasi:io@0.2.12 {
                interface poll {
                    resource pollable;
                }
            }

            package wasi:sockets@0.2.12 {
                interface network {
                    resource network;
                    enum error-code {
                        unknown,
                        access-denied,
                        not-supported,
                        invalid-argument,
                        out-of-memory,
                        timeout,
                        concurrency-conflict,
                        not-in-progress,
                        would-block,
                        invalid-state,
                        new-socket-limit,
                        address-not-bindable,
                        address-in-use,
                        remote-unreachable,
                        connection-refused,
                        connection-reset,
                        connection-aborted,
                        datagram-too-large,
                        name-unresolvable,
                        temporary-resolver-failure,
                        permanent-resolver-failure,
                    }
                    type ipv4-address = tuple<u8, u8, u8, u8>;
                    type ipv6-address = tuple<u16, u16, u16, u16, u16, u16, u16, u16>;
                    variant ip-address {
                        ipv4(ipv4-address),
                        ipv6(ipv6-address),
                    }
                }

                interface ip-name-lookup {
                    use wasi:io/poll@0.2.12.{pollable};
                    use network.{network, error-code, ip-address};
                    resource resolve-address-stream {
                        resolve-next-address: func() -> result<option<ip-address>, error-code>;
                        subscribe: func() -> pollable;
                    }
                    resolve-addresses: func(network: borrow<network>, name: string) -> result<resolve-address-stream, error-code>;
                }
            }
        ",
        imports: { default: trappable },
        require_store_data_send: true,
        with: {
            "wasi:io/poll": wasmtime_wasi::p2::bindings::io::poll,
            "wasi:sockets/network.network": wasmtime_wasi::p2::Network,
            "wasi:sockets/ip-name-lookup.resolve-address-stream": super::Addresses,
        },
    });
}

/// A look-up and what it gave.
#[allow(unreachable_pub, reason = "the generated module exports it once more")]
pub enum Addresses {
    /// It goes on.
    Running(JoinHandle<Result<Vec<IpAddr>, Refused>>),
    /// It is done; the addresses that were not taken yet.
    Done(Result<vec::IntoIter<IpAddr>, ErrorCode>),
}

impl Drop for Addresses {
    fn drop(&mut self) {
        if let Addresses::Running(task) = self {
            task.abort();
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {
        if let Addresses::Running(task) = self {
            let resolved = task.await.unwrap_or(Err(Refused::NotFound));
            *self = Addresses::Done(resolved.map(Vec::into_iter).map_err(code));
        }
    }
}

fn address(address: IpAddr) -> IpAddress {
    match address {
        IpAddr::V4(address) => IpAddress::Ipv4(address.octets().into()),
        IpAddr::V6(address) => IpAddress::Ipv6(address.segments().into()),
    }
}

fn code(refused: Refused) -> ErrorCode {
    match refused {
        Refused::NotGranted => ErrorCode::AccessDenied,
        Refused::NotFound => ErrorCode::NameUnresolvable,
        Refused::Limited => ErrorCode::TemporaryResolverFailure,
    }
}

/// Asks the system, when it is this guest's turn.
async fn resolve(
    reach: Reach,
    meter: Meter,
    slot: Slot,
    place: Arc<Semaphore>,
    name: String,
) -> Result<Vec<IpAddr>, Refused> {
    if let Err(error) = meter.ask(LOOK_UP).await {
        meter.note(error.limit());
        return Err(Refused::Limited);
    }
    let turn = place.acquire_owned().await.map_err(|_| Refused::Limited)?;
    // What the system was asked cannot be called back: it counts until it has been answered, even if nobody waits for it any more.
    let asked = tokio::spawn(async move {
        let resolved = reach.resolve(&name).await;
        drop((turn, slot));
        resolved
    });
    asked.await.unwrap_or(Err(Refused::NotFound))
}

/// A guest's table, where it may go and what it is counted by.
pub(super) struct Lookup<'a> {
    table: &'a mut ResourceTable,
    reach: &'a Reach,
    meter: &'a Meter,
}

struct HasLookup;

impl HasData for HasLookup {
    type Data<'a> = Lookup<'a>;
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    wit::wasi::sockets::ip_name_lookup::add_to_linker::<Guest, HasLookup>(linker, |guest| Lookup {
        table: &mut guest.table,
        reach: &guest.reach,
        meter: guest.context.meter(),
    })
}

impl Host for Lookup<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<Result<Resource<Addresses>, ErrorCode>> {
        self.table.get(&network)?;
        if name.len() > NAME {
            return Ok(Err(ErrorCode::InvalidArgument));
        }
        let place = match self.reach.look_up() {
            Ok(place) => place,
            Err(refused) => return Ok(Err(code(refused))),
        };
        let slot = match self.meter.open() {
            Ok(slot) => slot,
            Err(error) => {
                self.meter.note(error.limit());
                return Ok(Err(code(Refused::Limited)));
            }
        };
        let task = tokio::spawn(resolve(self.reach.clone(), self.meter.clone(), slot, place, name));
        Ok(Ok(self.table.push(Addresses::Running(task))?))
    }
}

impl HostResolveAddressStream for Lookup<'_> {
    fn resolve_next_address(
        &mut self,
        addresses: Resource<Addresses>,
    ) -> Result<Result<Option<IpAddress>, ErrorCode>> {
        Ok(match self.table.get_mut(&addresses)? {
            Addresses::Running(_) => Err(ErrorCode::WouldBlock),
            Addresses::Done(Ok(rest)) => Ok(rest.next().map(address)),
            Addresses::Done(Err(code)) => Err(*code),
        })
    }

    fn subscribe(&mut self, addresses: Resource<Addresses>) -> Result<Resource<DynPollable>> {
        subscribe(self.table, addresses)
    }

    fn drop(&mut self, addresses: Resource<Addresses>) -> Result<()> {
        self.table.delete(addresses)?;
        Ok(())
    }
}
