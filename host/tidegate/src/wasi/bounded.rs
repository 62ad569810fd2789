//! The files and sockets that a guest opens by itself, bounded: each costs the host a descriptor of its own.

use tidegate_grants::{Limit, LimitKind, Limits};
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode as FileError, Host as _, HostDescriptor, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode as SocketError, Host as _, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket;
use wasmtime_wasi::p2::bindings::sockets::{tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::WasiSocketsView;

use crate::guest::Guest;

/// Which WASI wasmtime-wasi's own functions are of, that these stand in for.
const VERSION: &str = "0.2.12";

/// What a socket that was accepted is.
type Accepted = (Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>);

/// How much a guest may have open by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own {
    /// None where there is no limit.
    pub(super) most: Option<(Limit, u32)>,
    /// Folders that were open from the start.
    pub(super) preopened: usize,
}

impl Own {
    pub(super) fn of(limits: &Limits) -> Own {
        let most = match limits.get(LimitKind::Streams) {
            Some(limit @ Limit::Streams(most)) => Some((limit, most)),
            _ => None,
        };
        Own { most, preopened: 0 }
    }
}

impl Guest {
    /// Whether it may open one more; where not, that is noted.
    fn may_open(&mut self) -> bool {
        let Some((limit, most)) = self.own.most else { return true };
        let is_open = |entry: &&mut (dyn std::any::Any + Send)| {
            entry.is::<Descriptor>() || entry.is::<TcpSocket>() || entry.is::<UdpSocket>()
        };
        let open = self.table.iter_mut().filter(is_open).count().saturating_sub(self.own.preopened);
        let may = open < most as usize;
        if !may {
            self.context.meter().note(Some(limit));
        }
        may
    }
}

/// Bounds what an interface that was added opens.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>, interface: &str) -> Result<()> {
    let add: fn(&mut Linker<Guest>, &str) -> Result<()> = match interface {
        "wasi:filesystem/types" => files,
        "wasi:sockets/tcp" => accepted,
        "wasi:sockets/tcp-create-socket" => tcp,
        "wasi:sockets/udp-create-socket" => udp,
        _ => return Ok(()),
    };
    linker.allow_shadowing(true);
    let added = add(linker, &format!("{interface}@{VERSION}"));
    linker.allow_shadowing(false);
    added
}

fn files(linker: &mut Linker<Guest>, interface: &str) -> Result<()> {
    type Arguments = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);
    linker.instance(interface)?.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, Guest>, (folder, path_flags, path, open_flags, flags): Arguments| {
            Box::new(async move {
                let guest = store.data_mut();
                if !guest.may_open() {
                    return Ok((Err(FileError::Quota),));
                }
                let mut own = guest.filesystem();
                let opened = own.open_at(folder, path_flags, path, open_flags, flags).await;
                Ok((match opened {
                    Ok(file) => Ok(file),
                    Err(error) => Err(own.convert_error_code(error)?),
                },))
            })
        },
    )
}

fn accepted(linker: &mut Linker<Guest>, interface: &str) -> Result<()> {
    linker.instance(interface)?.func_wrap(
        "[method]tcp-socket.accept",
        |mut store: StoreContextMut<'_, Guest>, (listener,): (Resource<TcpSocket>,)| {
            let guest = store.data_mut();
            if !guest.may_open() {
                return Ok((Err(SocketError::NewSocketLimit),));
            }
            let mut own = guest.sockets();
            let accepted: Result<Accepted, SocketError> = match HostTcpSocket::accept(&mut own, listener) {
                Ok(accepted) => Ok(accepted),
                Err(error) => Err(own.convert_error_code(error)?),
            };
            Ok((accepted,))
        },
    )
}

fn tcp(linker: &mut Linker<Guest>, interface: &str) -> Result<()> {
    linker.instance(interface)?.func_wrap(
        "create-tcp-socket",
        |mut store: StoreContextMut<'_, Guest>, (family,): (IpAddressFamily,)| {
            let guest = store.data_mut();
            if !guest.may_open() {
                return Ok((Err(SocketError::NewSocketLimit),));
            }
            let mut own = guest.sockets();
            Ok((match tcp_create_socket::Host::create_tcp_socket(&mut own, family) {
                Ok(socket) => Ok(socket),
                Err(error) => Err(own.convert_error_code(error)?),
            },))
        },
    )
}

fn udp(linker: &mut Linker<Guest>, interface: &str) -> Result<()> {
    linker.instance(interface)?.func_wrap_async(
        "create-udp-socket",
        |mut store: StoreContextMut<'_, Guest>, (family,): (IpAddressFamily,)| {
            Box::new(async move {
                let guest = store.data_mut();
                if !guest.may_open() {
                    return Ok((Err(SocketError::NewSocketLimit),));
                }
                let mut own = guest.sockets();
                Ok((match udp_create_socket::Host::create_udp_socket(&mut own, family).await {
                    Ok(socket) => Ok(socket),
                    Err(error) => Err(own.convert_error_code(error)?),
                },))
            })
        },
    )
}
