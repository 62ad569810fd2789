//! Text that came from a peer or a file, made safe to show.

/// Cuts `text` to at most `cap` bytes on a character boundary (an ellipsis is added where something was cut) and replaces
/// what could write to a terminal or break a line: control characters (ESC included), and the Unicode marks that reorder
/// text. Line breaks and tabs become single spaces.
pub fn for_people(text: &str, cap: usize) -> String {
    let mut out = String::with_capacity(text.len().min(cap));
    let mut cut = false;
    for c in text.trim().chars() {
        let c = match c {
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            c if is_harmless(c) => c,
            _ => char::REPLACEMENT_CHARACTER,
        };
        if c == ' ' && out.ends_with(' ') {
            continue;
        }
        if out.len() + c.len_utf8() > cap {
            cut = true;
            break;
        }
        out.push(c);
    }
    if cut {
        out.push('…');
    }
    out
}

/// The text on one line, with nothing in it that could write to a terminal: what [`for_people`] replaces, replaced, and nothing
/// cut. Line breaks become spaces.
pub fn on_one_line(text: &str) -> String {
    let shown = |c| match c {
        '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_harmless(c) => c,
        _ => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(shown).collect()
}

/// Whether a character does no more to a terminal than appear: no control character, and no mark that reorders text.
pub fn is_harmless(c: char) -> bool {
    !c.is_control() && !reorders(c)
}

/// As [`for_people`], from bytes: what is no UTF-8 is replaced, and no more than needed of a huge input is looked at.
pub(crate) fn bytes_for_people(bytes: &[u8], cap: usize) -> String {
    // Four times as much as is shown: runs of white space shrink.
    let end = bytes.len().min(cap.saturating_mul(4));
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut shown = for_people(&text, cap);
    if end < bytes.len() && !shown.ends_with('…') {
        shown.push('…');
    }
    shown
}

fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal() {
        for (given, cap, shown) in [
            ("plain", 100, "plain"),
            ("two\r\nlines\n", 100, "two lines"),
            ("\u{1b}[31mred\u{1b}[0m", 100, "\u{fffd}[31mred\u{fffd}[0m"),
            ("a\u{0}b\u{7f}c\u{9b}d", 100, "a\u{fffd}b\u{fffd}c\u{fffd}d"),
            ("abc\u{202e}fed", 100, "abc\u{fffd}fed"),
            ("ääää", 5, "ää…"),
            ("", 5, ""),
        ] {
            assert_eq!(for_people(given, cap), shown, "{given:?}");
        }
        for (given, shown) in [
            ("two\r\n  lines\n", "two    lines "),
            ("\u{1b}[31mred\u{9b}0m\u{2066}x", "\u{fffd}[31mred\u{fffd}0m\u{fffd}x"),
        ] {
            assert_eq!(on_one_line(given), shown, "{given:?}");
        }
    }
}
