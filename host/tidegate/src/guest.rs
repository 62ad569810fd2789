//! What one store holds: one guest, and nothing that another guest could reach.

use tidegate_bindings::{Context, MAX_HANDLES, TidegateView, View};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::limits::Memory;
use crate::wasi::{self, Itself, Own, Reach, Web};

/// The data of a guest's store.
pub(crate) struct Guest {
    pub(crate) context: Context,
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) reach: Reach,
    pub(crate) web: Web,
    pub(crate) own: Own,
    pub(crate) http: WasiHttpCtx,
    pub(crate) memory: Memory,
}

impl Guest {
    pub(crate) fn new(context: Context, mut itself: Itself, memory: Memory) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let Itself { wasi, reach, own } = &mut itself;
        let web = Web::new(reach.clone(), &context);
        let (wasi, reach, own) = (wasi.build(), reach.clone(), std::mem::take(own));
        let http = wasi::fields_within(context.memory());
        Self { context, table, wasi, reach, web, own, http, memory }
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
