//! The files and sockets that a guest opens by itself, bounded: each costs the host a descriptor of its own.

use std::any::Any;
use std::sync::{Arc, Weak};

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

use super::pinned;
use crate::guest::Guest;

/// Which WASI wasmtime-wasi's own functions are of, that these stand in for.
pub(super) const VERSION: &str = "0.2.12";

/// What a socket that was accepted is.
type Accepted = (Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>);

/// What a guest has open by itself, and how much that may be.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// None where there is no limit.
    most: Option<(Limit, u32)>,
    /// The files and folders that it opened. A stream keeps its file open, whatever becomes of the descriptor that it came from.
    files: Vec<Weak<dyn Any + Send + Sync>>,
}

impl Own {
    pub(super) fn of(limits: &Limits) -> Own {
        let most = match limits.get(LimitKind::Streams) {
            Some(limit @ Limit::Streams(most)) => Some((limit, most)),
            _ => None,
        };
        Own { most, files: Vec::new() }
    }

    /// Counts what was opened, until nothing of the guest's holds it.
    fn opened(&mut self, descriptor: &Descriptor) {
        if self.most.is_none() {
            return;
        }
        let file: Arc<dyn Any + Send + Sync> = match descriptor {
            Descriptor::File(file) => file.file.clone(),
            Descriptor::Dir(folder) => folder.dir.clone(),
        };
        self.files.push(Arc::downgrade(&file));
    }
}

impl Guest {
    /// Whether it may open one more; where not, that is noted.
    fn may_open(&mut self) -> bool {
        let Some((limit, most)) = self.own.most else { return true };
        self.own.files.retain(|file| file.strong_count() > 0);
        // The streams of a socket are its children: none outlives it.
        let is_socket = |entry: &&mut (dyn Any + Send)| entry.is::<TcpSocket>() || entry.is::<UdpSocket>();
        let open = self.own.files.len() + self.table.iter_mut().filter(is_socket).count();
        let may = open < most as usize;
        match may {
            true => self.context.meter().given(LimitKind::Streams),
            false => self.context.meter().note(Some(limit)),
        }
        may
    }
}

/// Puts functions of ours in the place of those that were added.
pub(super) type Shadow = fn(&mut Linker<Guest>, &str) -> Result<()>;

/// What bounds an interface.
pub(super) fn shadow(interface: &str) -> Option<Shadow> {
    Some(match interface {
        "wasi:filesystem/types" => files,
        "wasi:http/types" => pinned::add_to_linker,
        "wasi:sockets/tcp" => accepted,
        "wasi:sockets/tcp-create-socket" => tcp,
        "wasi:sockets/udp-create-socket" => udp,
        _ => return None,
    })
}

/// Bounds what an interface that was added opens.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>, interface: &str) -> Result<()> {
    let Some(shadow) = shadow(interface) else { return Ok(()) };
    linker.allow_shadowing(true);
    let added = shadow(linker, &format!("{interface}@{VERSION}"));
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
                    Ok(file) => {
                        guest.own.opened(guest.table.get(&file)?);
                        Ok(file)
                    }
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
