//! The one thing that people want to know of a certificate: until when it is good.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::date;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// `notAfter` of a certificate in DER (RFC 5280, 4.1). `None` where it is none, or where it never ends
/// (`99991231235959Z`). Nothing is verified.
pub fn not_after(der: &[u8]) -> Option<SystemTime> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        (_, rest) = element(rest, VERSION)?;
    }
    // Serial number, signature's algorithm, issuer.
    for _ in 0..3 {
        (_, rest) = element(rest, *rest.first()?)?;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, not_after) = element(validity, *validity.first()?)?;
    let tag = *not_after.first()?;
    let (text, _) = element(not_after, tag)?;
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let full = match tag {
        // Two digits: 1950 to 2049.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let (day, time) = (full.get(..8)?, full.get(8..14)?);
    if full.get(14..)? != "Z" || full.starts_with("9999") {
        return None;
    }
    let [year, month, date] = [&day[..4], &day[4..6], &day[6..]];
    let [hour, minute, second] = [&time[..2], &time[2..4], &time[4..]];
    date::parse(&format!("{year}-{month}-{date}T{hour}:{minute}:{second}Z"))
}

/// [`not_after`] of the first certificate in PEM.
pub fn pem_not_after(pem: &[u8]) -> Option<SystemTime> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let joined: String = body.split_ascii_whitespace().collect();
    not_after(&STANDARD.decode(joined).ok()?)
}

/// The content of the first element, which has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length).filter(|_| found == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate as far as it is read.
    fn certificate(version: &[u8], not_after: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).expect("short").to_be_bytes();
            [&[tag, 0x82], &length[..], content].concat()
        };
        let validity = [wrap(UTC_TIME, b"200101000000Z"), not_after.to_vec()].concat();
        let parts =
            [version, &[2, 1, 7], &wrap(SEQUENCE, b""), &wrap(SEQUENCE, b"xx"), &wrap(SEQUENCE, &validity)];
        wrap(SEQUENCE, &wrap(SEQUENCE, &parts.concat()))
    }

    #[test]
    fn ends() {
        let time = |tag: u8, text: &str| [&[tag, text.len() as u8], text.as_bytes()].concat();
        for (not_after, end) in [
            (time(UTC_TIME, "301231235959Z"), Some("2030-12-31T23:59:59Z")),
            (time(UTC_TIME, "991231235959Z"), Some("1999-12-31T23:59:59Z")),
            (time(GENERALIZED_TIME, "20511231235959Z"), Some("2051-12-31T23:59:59Z")),
            (time(GENERALIZED_TIME, "99991231235959Z"), None),
            (time(UTC_TIME, "301331235959Z"), None),
            (time(UTC_TIME, "3012312359Z"), None),
            (time(UTC_TIME, "é1231235959Z"), None),
            (time(4, "301231235959Z"), None),
            (vec![UTC_TIME, 200, 1], None),
            (Vec::new(), None),
        ] {
            for version in [&[VERSION, 3, 2, 1, 2][..], &[]] {
                let der = certificate(version, &not_after);
                assert_eq!(super::not_after(&der).map(date::format).as_deref(), end, "{not_after:?}");
                let pem = STANDARD.encode(&der);
                let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
                assert_eq!(pem_not_after(pem.as_bytes()), super::not_after(&der));
                for cut in 0..der.len() {
                    super::not_after(&der[..cut]);
                }
            }
        }
    }
}
