//! A guest that misbehaves as told: for limits, signals, traps and exit codes.
//!
//! ```text
//! spin loop | grow MIB | recurse | panic | trap | exit CODE | error | sleep SECONDS | echo | flood LINES | arguments ARGUMENT…
//! ```

use std::hint::black_box;
use std::time::Duration;

fn main() -> tidegate::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["loop"] => spin(),
        ["grow", mebibytes] => grow(number(mebibytes)),
        ["recurse"] => println!("{}", recurse(u64::MAX)),
        ["panic"] => panic!("as told"),
        ["trap"] => trap(),
        ["exit", code] => tidegate::exit(u8::try_from(number(code)).unwrap_or(u8::MAX)),
        ["error"] => return Err(tidegate::Error::other("as told")),
        ["sleep", seconds] => {
            tidegate::sleep(Duration::from_secs(number(seconds)));
            println!("slept");
        }
        ["echo"] => {
            std::io::copy(&mut std::io::stdin(), &mut std::io::stdout())?;
        }
        ["flood", lines] => (0..number(lines)).for_each(|line| println!("line {line}")),
        ["arguments", ref rest @ ..] => rest.iter().for_each(|argument| println!("{argument}")),
        _ => {
            eprintln!("spin: what? {arguments:?}");
            tidegate::exit(2);
        }
    }
    Ok(())
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| {
        eprintln!("spin: {text} is not a number");
        tidegate::exit(2);
    })
}

/// Says that it is about to, so that whoever interrupts it knows when to.
fn spin() -> ! {
    println!("spinning");
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn grow(mebibytes: u64) {
    let mut held = Vec::new();
    for grown in 1..=mebibytes {
        // Written to, so that it is there.
        held.push(black_box(vec![1u8; 1 << 20]));
        println!("{grown} MiB");
    }
}

#[allow(unconditional_recursion, reason = "the stack is to overflow")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth - 1) + frame[7]
}

/// A trap that no panic message announces.
#[inline(never)]
fn trap() {
    std::process::abort();
}
