//! SOCKS5 (RFC 1928) with user and password (RFC 1929). Knows no sockets.

use std::net::IpAddr;

use tidegate_grants::{Endpoint, Host};

use super::url::User;

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const NOTHING: u8 = 0;
const PASSWORD: u8 = 2;
const NONE_FITS: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// A client's side of the exchange: what to send, how many bytes to read then, and so on.
pub(super) struct Socks<'a> {
    target: &'a Endpoint,
    user: Option<&'a User>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Method,
    Login,
    /// Version, verdict, and what kind of address follows.
    Reply,
    NameLength,
    /// The address that the proxy connects from, which nobody needs.
    Address(usize),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send these bytes, then read [`Socks::wants`] bytes.
    Send(Vec<u8>),
    /// Read [`Socks::wants`] bytes.
    Read,
    /// What follows is the server's.
    Connected,
}

/// Why a proxy does not connect us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It does not speak SOCKS5.
    NotSocks,
    /// It wants a user and a password.
    WantsUser,
    /// It knows no way in which we could say who we are.
    NoMethod,
    /// Not this user, or not with this password.
    Login,
    /// User or password is empty or longer than 255 bytes, which cannot be said.
    Unsayable,
    /// The server's name is longer than 255 bytes.
    LongName,
    /// Its reply code.
    Reply(u8),
}

impl<'a> Socks<'a> {
    /// Names go to the proxy as they are, which looks them up: as Go does for both `socks5` and `socks5h`.
    pub(super) fn new(target: &'a Endpoint, user: Option<&'a User>) -> Socks<'a> {
        Socks { target, user, state: State::Method }
    }

    /// The first bytes to send.
    pub(super) fn greeting(&self) -> Vec<u8> {
        match self.user {
            None => vec![VERSION, 1, NOTHING],
            Some(_) => vec![VERSION, 2, NOTHING, PASSWORD],
        }
    }

    /// How many bytes [`feed`](Socks::feed) takes next; never none.
    pub(super) fn wants(&self) -> usize {
        match self.state {
            State::Method | State::Login => 2,
            State::Reply => 4,
            State::NameLength => 1,
            State::Address(length) => length,
        }
    }

    /// Takes exactly [`wants`](Socks::wants) bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Step, Refused> {
        match (self.state, bytes) {
            (State::Method, [VERSION, NOTHING]) => self.request(),
            (State::Method, [VERSION, PASSWORD]) => match self.user {
                Some(user) => {
                    self.state = State::Login;
                    login(user).map(Step::Send)
                }
                None => Err(Refused::WantsUser),
            },
            (State::Method, [VERSION, NONE_FITS]) if self.user.is_none() => Err(Refused::WantsUser),
            (State::Method, [VERSION, _]) => Err(Refused::NoMethod),
            (State::Login, [LOGIN_VERSION, 0]) => self.request(),
            (State::Login, [LOGIN_VERSION, _]) => Err(Refused::Login),
            (State::Reply, [VERSION, 0, 0, kind]) => {
                self.state = match *kind {
                    IPV4 => State::Address(4 + 2),
                    IPV6 => State::Address(16 + 2),
                    NAME => State::NameLength,
                    _ => return Err(Refused::NotSocks),
                };
                Ok(Step::Read)
            }
            (State::Reply, [VERSION, code, ..]) if *code != 0 => Err(Refused::Reply(*code)),
            (State::NameLength, [length]) => {
                self.state = State::Address(usize::from(*length) + 2);
                Ok(Step::Read)
            }
            (State::Address(_), _) => Ok(Step::Connected),
            _ => Err(Refused::NotSocks),
        }
    }

    fn request(&mut self) -> Result<Step, Refused> {
        let mut request = vec![VERSION, CONNECT, 0];
        match self.target.host() {
            Host::Address(IpAddr::V4(address)) => {
                request.push(IPV4);
                request.extend(address.octets());
            }
            Host::Address(IpAddr::V6(address)) => {
                request.push(IPV6);
                request.extend(address.octets());
            }
            Host::Name(name) => {
                request.push(NAME);
                request.push(u8::try_from(name.len()).map_err(|_| Refused::LongName)?);
                request.extend(name.as_bytes());
            }
        }
        request.extend(self.target.port().to_be_bytes());
        self.state = State::Reply;
        Ok(Step::Send(request))
    }
}

impl Refused {
    /// RFC 1928, section 6.
    pub(super) fn words(self) -> &'static str {
        match self {
            Refused::NotSocks => "does not answer in SOCKS5",
            Refused::WantsUser => "wants a user and a password",
            Refused::NoMethod => "takes no user and password, nor anybody without",
            Refused::Login => "does not accept this user and password",
            Refused::Unsayable => "cannot be told a user or password that is empty or longer than 255 bytes",
            Refused::LongName => "cannot be told a server's name that is longer than 255 bytes",
            Refused::Reply(2) => "does not allow this connection",
            Refused::Reply(3) => "cannot reach the server's network",
            Refused::Reply(4) => "cannot reach the server, or does not know its name",
            Refused::Reply(5) => "was refused by the server",
            Refused::Reply(6) => "gave up waiting for the server",
            Refused::Reply(7 | 8) => "does not make connections of this kind",
            Refused::Reply(_) => "failed",
        }
    }
}

fn login(user: &User) -> Result<Vec<u8>, Refused> {
    let (name, password) = (user.name.expose(), user.password.expose());
    let length = |text: &str| u8::try_from(text.len()).map_err(|_| Refused::Unsayable);
    let (name_length, password_length) = (length(name)?, length(password)?);
    if name_length == 0 {
        return Err(Refused::Unsayable);
    }
    let mut bytes = vec![LOGIN_VERSION, name_length];
    bytes.extend(name.as_bytes());
    bytes.push(password_length);
    bytes.extend(password.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_kube::Secret;

    use super::*;

    fn user(name: &str, password: &str) -> User {
        User { name: Secret::new(name.to_owned()), password: Secret::new(password.to_owned()) }
    }

    /// What was sent, and how it ended, with a proxy that says these bytes.
    fn talk(target: &str, user: Option<&User>, mut says: &[u8]) -> (Vec<u8>, Option<Result<(), Refused>>) {
        let target = Endpoint::parse(target).expect("endpoint");
        let mut socks = Socks::new(&target, user);
        let mut sent = socks.greeting();
        loop {
            let wants = socks.wants();
            assert!((1..=257).contains(&wants));
            let Some((bytes, rest)) = says.split_at_checked(wants) else { return (sent, None) };
            says = rest;
            match socks.feed(bytes) {
                Ok(Step::Send(bytes)) => sent.extend(bytes),
                Ok(Step::Read) => {}
                Ok(Step::Connected) => return (sent, Some(Ok(()))),
                Err(refused) => return (sent, Some(Err(refused))),
            }
        }
    }

    #[test]
    fn connections() {
        let me = user("me", "pw");
        for (target, user, says, sent) in [
            (
                "k8s.corp:6443",
                None,
                &b"\x05\0\x05\0\0\x01\x7f\0\0\x01\x04\xd2"[..],
                &b"\x05\x01\0\x05\x01\0\x03\x08k8s.corp\x19\x2b"[..],
            ),
            (
                "10.0.0.1:443",
                Some(&me),
                b"\x05\x02\x01\0\x05\0\0\x03\x03abc\x04\xd2",
                b"\x05\x02\0\x02\x01\x02me\x02pw\x05\x01\0\x01\x0a\0\0\x01\x01\xbb",
            ),
            (
                "[::1]:443",
                Some(&me),
                b"\x05\0\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                b"\x05\x02\0\x02\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb",
            ),
        ] {
            let (said, end) = talk(target, user, says);
            assert_eq!((said.as_slice(), end), (sent, Some(Ok(()))), "{target}");
        }
    }

    #[test]
    fn refusals() {
        let (me, nobody, long) = (user("me", "pw"), user("", "pw"), user("me", &"x".repeat(256)));
        for (user, says, why) in [
            (None, &b"\x04\0"[..], Refused::NotSocks),
            (None, b"HTTP/1.1 400", Refused::NotSocks),
            (None, b"\x05\x02", Refused::WantsUser),
            (None, b"\x05\xff", Refused::WantsUser),
            (Some(&me), b"\x05\xff", Refused::NoMethod),
            (Some(&me), b"\x05\x01", Refused::NoMethod),
            (Some(&me), b"\x05\x02\x01\x01", Refused::Login),
            (Some(&me), b"\x05\x02\x05\0", Refused::NotSocks),
            (Some(&nobody), b"\x05\x02", Refused::Unsayable),
            (Some(&long), b"\x05\x02", Refused::Unsayable),
            (None, b"\x05\0\x05\x02\0\x01", Refused::Reply(2)),
            (None, b"\x05\0\x05\x05\0\x01", Refused::Reply(5)),
            (None, b"\x05\0\x04\0\0\x01", Refused::NotSocks),
            (None, b"\x05\0\x05\0\x01\x01", Refused::NotSocks),
            (None, b"\x05\0\x05\0\0\x02", Refused::NotSocks),
        ] {
            assert_eq!(talk("x:1", user, says).1, Some(Err(why)), "{says:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(says in proptest::collection::vec(any::<u8>(), 0..600), login in any::<bool>()) {
            let me = user("me", "pw");
            talk("x:1", login.then_some(&me), &says);
            talk("x:1", login.then_some(&me), &[&b"\x05\0\x05\0\0"[..], &says].concat());
        }
    }
}
