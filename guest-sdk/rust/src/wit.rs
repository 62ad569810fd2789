//! What the host offers, as wit-bindgen makes it. Nothing outside this crate sees these types.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wit_bindgen::generate!({
    world: "tidegate:host/imports",
    path: "../../wit",
    generate_all,
});

/// `exit-with-code`, which std's `process::exit` does not use: through it, every code but 0 becomes 1.
pub mod cli {
    wit_bindgen::generate!({
        inline: r#"
            package tidegate:guest;
            world exit {
                import wasi:cli/exit@0.2.6;
            }
            package wasi:cli@0.2.6 {
                interface exit {
                    exit: func(status: result);
                    exit-with-code: func(status-code: u8);
                }
            }
        "#,
        generate_all,
    });
}
