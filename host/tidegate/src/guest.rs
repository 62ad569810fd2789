//! What one store holds: one guest, and nothing that another guest could reach.

use tidegate_bindings::{Context, MAX_HANDLES, TidegateView, View};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::wasi::Reach;

/// The data of a guest's store.
pub(crate) struct Guest {
    pub(crate) context: Context,
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) reach: Reach,
    pub(crate) http: WasiHttpCtx,
}

impl Guest {
    pub(crate) fn new(context: Context, wasi: WasiCtx, reach: Reach) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self { context, table, wasi, reach, http: WasiHttpCtx::new() }
    }
}

impl TidegateView for Guest {
    fn tidegate(&mut self) -> View<'_> {
        View { context: &mut self.context, table: &mut self.table }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
