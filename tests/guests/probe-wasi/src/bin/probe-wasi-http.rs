//! Tries to get `/api` of a server by `wasi:http`, and says what it got: `got CODE` (exit code 1), or `nothing: why`.
//!
//! ```text
//! probe-wasi-http [[https://]AUTHORITY]
//! ```

use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

fn main() {
    let authority = std::env::args().nth(1).unwrap_or_else(|| "localhost:8001".to_owned());
    let (scheme, authority) = match authority.strip_prefix("https://") {
        Some(authority) => (Scheme::Https, authority),
        None => (Scheme::Http, authority.as_str()),
    };
    match get(&scheme, authority) {
        Ok(code) => {
            println!("got {code}");
            std::process::exit(1);
        }
        Err(why) => println!("nothing: {why}"),
    }
}

fn get(scheme: &Scheme, authority: &str) -> Result<u16, String> {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(scheme)).map_err(|()| "the scheme is refused")?;
    request.set_authority(Some(authority)).map_err(|()| "the authority is refused")?;
    request.set_path_with_query(Some("/api")).map_err(|()| "the path is refused")?;
    let response = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(response))) => Ok(response.status()),
        Some(Ok(Err(code))) => Err(format!("{code:?}")),
        Some(Err(())) | None => Err("no response".to_owned()),
    }
}
