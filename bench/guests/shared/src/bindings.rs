//! What the host offers, as wit-bindgen makes it.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wit_bindgen::generate!({
    world: "tidegate:host/imports",
    path: "../../../wit",
    generate_all,
});
