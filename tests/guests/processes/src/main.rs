//! What a script may do with processes besides running one to its end; prints a line for each, `ok …` or what came instead.
//!
//! `processes NAMESPACE POD CONTAINER`

use std::task::Poll;
use std::time::Duration;

use tidegate::process::{Chunk, Output};
use tidegate::{AttachParams, AttachedProcess, Client, Error, Result};

struct Place {
    client: Client,
    namespace: String,
    pod: String,
    container: String,
}

impl Place {
    fn exec(&self, script: &str, params: AttachParams) -> Result<AttachedProcess> {
        let params = params.container(&self.container);
        self.client.exec(Some(&self.namespace), &self.pod, ["sh", "-c", script], &params)
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mut word = || words.next().unwrap_or_default();
    let client = tidegate::auto_detect_client()?;
    let place = Place { client, namespace: word(), pod: word(), container: word() };
    for (name, case) in CASES {
        match case(&place) {
            Ok(()) => println!("ok {name}"),
            Err(error) => println!("{name}: {error}"),
        }
    }
    Ok(())
}

type Case = fn(&Place) -> std::result::Result<(), String>;

const CASES: [(&str, Case); 9] = [
    ("all at once", all_at_once),
    ("a megabyte both ways", both_ways),
    ("input and size that were not asked for", not_asked_for),
    ("an end that is asked for again", ends),
    ("nothing is there yet", nothing_yet),
    ("two at once", two_at_once),
    ("handles in any order", any_order),
    ("input after its end", after_the_end),
    ("what makes no sense", no_sense),
];

fn all_at_once(place: &Place) -> std::result::Result<(), String> {
    let process =
        place.exec("cat; echo err >&2; exit 4", AttachParams::default().stdin(true)).map_err(said)?;
    let found = process.output(b"typed").map_err(said)?;
    is(found, Output { stdout: b"typed".to_vec(), stderr: b"err\n".to_vec(), code: 4 })?;
    let process =
        place.exec("echo out; echo err >&2", AttachParams::default().stdout(false)).map_err(said)?;
    is(process.output(b"").map_err(said)?, Output { stderr: b"err\n".to_vec(), ..Output::default() })
}

fn both_ways(place: &Place) -> std::result::Result<(), String> {
    let bytes: Vec<u8> = (0..1_000_000u32).map(|number| (number % 251) as u8).collect();
    let process = place.exec("cat", AttachParams::default().stdin(true)).map_err(said)?;
    let found = process.output(&bytes).map_err(said)?;
    is((found.stdout == bytes, found.code), (true, 0))
}

fn not_asked_for(place: &Place) -> std::result::Result<(), String> {
    let process = place.exec("true", AttachParams::default()).map_err(said)?;
    is(code(process.write(b"x")), "invalid-request")?;
    is(code(process.try_write(b"x")), "invalid-request")?;
    is(code(process.close_stdin()), "invalid-request")?;
    is(code(process.resize(80, 24)), "invalid-request")?;
    is(process.exit().map_err(said)?, 0)
}

fn ends(place: &Place) -> std::result::Result<(), String> {
    let process = place.exec("echo unread; exit 5", AttachParams::default()).map_err(said)?;
    is((process.exit().map_err(said)?, process.exit().map_err(said)?), (5, 5))?;
    let mut process = process;
    is(process.next().is_none(), true)?;
    is(process.try_exit().map(|exit| exit.ok()), Some(Some(5)))
}

fn nothing_yet(place: &Place) -> std::result::Result<(), String> {
    let mut process =
        place.exec("read line; echo $line", AttachParams::default().stdin(true)).map_err(said)?;
    is(matches!(process.try_next(), Poll::Pending), true)?;
    is(process.try_exit().is_none(), true)?;
    let (output, timer) = (process.subscribe(), tidegate::after(Duration::from_millis(50)));
    is(tidegate::poll(&[&output, &timer]), vec![1])?;
    is(process.subscribe_write().ready(), true)?;
    process.write(b"now\n").map_err(said)?;
    output.block();
    is(process.next().transpose().map_err(said)?, Some(Chunk::Stdout(b"now\n".to_vec())))?;
    is(process.exit().map_err(said)?, 0)
}

fn two_at_once(place: &Place) -> std::result::Result<(), String> {
    let slow = place.exec("sleep 0.5; echo slow", AttachParams::default()).map_err(said)?;
    let mut quick = place.exec("echo quick", AttachParams::default()).map_err(said)?;
    is(tidegate::poll(&[&slow.subscribe(), &quick.subscribe()]), vec![1])?;
    is(quick.next().transpose().map_err(said)?, Some(Chunk::Stdout(b"quick\n".to_vec())))?;
    is(slow.output(b"").map_err(said)?.stdout, b"slow\n".to_vec())
}

fn any_order(place: &Place) -> std::result::Result<(), String> {
    let client = Client::clone(&place.client);
    let process = place.exec("sleep 60", AttachParams::default().stdin(true)).map_err(said)?;
    drop(client);
    let (output, room) = (process.subscribe(), process.subscribe_write());
    is(output.ready(), false)?;
    drop(process);
    // What waited for it waits no more.
    output.block();
    room.block();
    Ok(())
}

fn after_the_end(place: &Place) -> std::result::Result<(), String> {
    let process = place.exec("cat", AttachParams::default().stdin(true)).map_err(said)?;
    process.close_stdin().map_err(said)?;
    is((code(process.write(b"x")), code(process.close_stdin())), ("closed".into(), "closed".into()))?;
    is(process.exit().map_err(said)?, 0)?;
    let process = place.exec("true", AttachParams::default().stdin(true)).map_err(said)?;
    is(process.exit().map_err(said)?, 0)?;
    is(code(process.write(b"x")), "closed")
}

fn no_sense(place: &Place) -> std::result::Result<(), String> {
    let nothing: [&str; 0] = [];
    let namespace = Some(place.namespace.as_str());
    is(code(place.client.exec(namespace, &place.pod, nothing, &AttachParams::default())), "invalid-request")?;
    let none = AttachParams::default().stdout(false).stderr(false);
    is(code(place.client.exec(namespace, &place.pod, ["ls"], &none)), "invalid-request")?;
    let never = AttachParams::default().deadline(Duration::ZERO);
    is(code(place.client.exec(namespace, &place.pod, ["ls"], &never)), "invalid-request")?;
    for name in ["", "..", "a/b", "a/../b"] {
        is(code(place.client.exec(namespace, name, ["ls"], &AttachParams::default())), "invalid-request")?;
        is(
            code(place.client.exec(Some(name), &place.pod, ["ls"], &AttachParams::default())),
            "invalid-request",
        )?;
    }
    Ok(())
}

fn is<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    found: T,
    expected: U,
) -> std::result::Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
}

fn code<T>(result: Result<T>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |error| error.code().to_owned())
}

fn said(error: Error) -> String {
    error.to_string()
}
