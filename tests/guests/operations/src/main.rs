//! Discovery and operations of the guest SDK, each case with objects of its own making.
//!
//! ```text
//! operations PREFIX            every case: `ok CASE` or `FAIL CASE: why`; exit code 1 if any failed
//! operations lookup NAME…      what each name means: `NAME plural group/version kind`, or `NAME -`
//! ```

mod cases;

use tidegate::discovery;

fn main() -> tidegate::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let client = tidegate::auto_detect_client()?;
    match arguments.as_slice() {
        [command, names @ ..] if command == "lookup" => {
            for name in names {
                match discovery::lookup(&client, name) {
                    Ok(kind) => println!("{name} {} {} {}", kind.plural, kind.api_version(), kind.kind),
                    Err(error) if error.is_unsupported_resource() => println!("{name} -"),
                    Err(error) => return Err(error),
                }
            }
        }
        [prefix] => {
            let failed = cases::ALL.iter().filter(|(name, case)| match case(&client, prefix) {
                Ok(()) => {
                    println!("ok {name}");
                    false
                }
                Err(error) => {
                    println!("FAIL {name}: {}", error.to_string().replace('\n', " | "));
                    true
                }
            });
            if failed.count() > 0 {
                tidegate::exit(1);
            }
        }
        _ => {
            eprintln!("usage: operations PREFIX | lookup NAME…");
            tidegate::exit(2);
        }
    }
    Ok(())
}
