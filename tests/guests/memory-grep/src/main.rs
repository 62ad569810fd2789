//! Does what guests do, then looks through its whole linear memory: is there something in it that a guest must never have?
//!
//! ```text
//! memory-grep PATH NEEDLE…
//! ```
//!
//! Gets `PATH` through the client that auto-detection finds, watches it for a moment, fails once, and keeps what came of it. Each `NEEDLE` is
//! the bytes to look for, **reversed** and in hexadecimal, so that neither the argument nor its decoded form is a match. Prints
//! `NEEDLE: COUNT` for each. To see that it finds what is there, give it a needle that is in the response.

use std::time::Duration;

use tidegate::Request;

fn main() -> tidegate::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| usage("no path"));
    let client = tidegate::auto_detect_client()?;
    let response = client.request_text(Request::get(&path))?;
    let refused = client.request_text(Request::get("/apis/nothing.example.com/v1/things")).err();
    let watch = Request::get(&path).query("watch", "true").query("timeoutSeconds", "1");
    let events: Vec<_> = client.open_bytes(watch.idle_deadline(Duration::from_secs(2)))?.collect();

    for needle in arguments {
        let reversed = decode(&needle).unwrap_or_else(|| usage("a needle is pairs of hexadecimal digits"));
        println!("{needle}: {}", count(&reversed));
    }
    println!(
        "kept {} bytes, {} pieces, {:?}",
        response.len(),
        events.len(),
        refused.map(|error| error.code().to_owned())
    );
    Ok(())
}

fn usage(why: &str) -> ! {
    eprintln!("memory-grep: {why}; usage: memory-grep PATH NEEDLE…");
    tidegate::exit(2);
}

fn decode(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hexadecimal
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    (rest.is_empty() && !pairs.is_empty()).then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// How often the bytes, read backwards, are in memory. They are never put the right way round.
fn count(reversed: &[u8]) -> usize {
    let end = memory_bytes();
    let length = reversed.len();
    // Address 0 is no pointer that Rust knows; nothing of ours begins there.
    (1..=end.saturating_sub(length))
        .filter(|start| {
            reversed.iter().rev().enumerate().all(|(offset, byte)| byte_at(start + offset) == *byte)
        })
        .count()
}

#[cfg(target_arch = "wasm32")]
fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size::<0>() << 16
}

#[cfg(target_arch = "wasm32")]
fn byte_at(address: usize) -> u8 {
    // SAFETY: every address below the memory's size can be read; a volatile read asks nothing else of what is there. Nothing is
    // shared: the guest has one thread.
    unsafe { std::ptr::with_exposed_provenance::<u8>(address).read_volatile() }
}

/// There is no linear memory but a guest's.
#[cfg(not(target_arch = "wasm32"))]
fn memory_bytes() -> usize {
    0
}

#[cfg(not(target_arch = "wasm32"))]
fn byte_at(_: usize) -> u8 {
    0
}
