//! Follows a reflector. Arguments: CONNECTION PATH CHANGES. Prints `synced N` once it has heard of N objects, `changed` after so many changes
//! more, and goes on.

use tidegate::{Error, ReflectorParams, Update, connections};

fn main() -> tidegate::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or_else(|| Error::other("CONNECTION PATH CHANGES"));
    let (connection, path) = (next()?, next()?);
    let wanted: u64 = next()?.parse().map_err(|_| Error::other("CHANGES is a number"))?;
    let params = ReflectorParams::default().view(["metadata.name", "metadata.resourceVersion"]).batch(16);
    let (mut objects, mut changes) = (0_u64, 0_u64);
    for update in connections::open(&connection)?.open_updates(&path, &params)? {
        match update? {
            Update::Added(_) => objects += 1,
            Update::Modified { .. } => {
                changes += 1;
                if changes == wanted {
                    println!("changed");
                }
            }
            Update::Synced => println!("synced {objects}"),
            Update::Failed(error) => return Err(error),
            other => return Err(Error::other(format!("{} is not expected here", other.change()))),
        }
    }
    Ok(())
}
