//! x
fn main() { println!("{:?}", tidegate::auto_detect_client()); tidegate::exit(std::env::args().count() as u8 + 5) }
