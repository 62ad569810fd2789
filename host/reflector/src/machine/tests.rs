//! Each transition, by table.

use std::time::Duration;

use tidegate_transport::Code;

use super::table::In::{self, *};
use super::table::{check, opened};
use super::*;

#[test]
fn what_comes_is_told() {
    opened(
        "events",
        &[
            (1, Added("8"), "added"),
            (2, Gone("9"), "deleted"),
            (3, LeftOut("12"), ""),
            (4, In::Bookmark("20"), "bookmark 20"),
            (130, End, "WATCH 20"),
            (130, Open, ""),
            (131, LeftOut("21"), ""),
            (260, End, "WATCH 21"),
        ],
    );
    check("an empty list", None, "LIST", &[(0, Begun, "listing"), (1, Ended("7"), "listed 7, WATCH 7")]);
    check("from a version", Some("5"), "WATCH 5", &[(0, Open, ""), (1, Added("6"), "added")]);
}

#[test]
fn where_history_is_forgotten_there_is_a_new_list() {
    opened(
        "410 in the stream after two good minutes: at once",
        &[(200, Status(410), "desynced, WAIT 0"), (200, Waited, "LIST"), (200, Begun, "listing")],
    );
    opened("410 as the first failure", &[(1, Status(410), "desynced, WAIT 0"), (1, Waited, "LIST")]);
    opened(
        "410 again and again is waited for",
        &[
            (1, Status(410), "desynced, WAIT 0"),
            (1, Waited, "LIST"),
            (1, Begun, "listing"),
            (1, Ended("8"), "listed 8, WATCH 8"),
            (1, Status(410), "desynced, WAIT 1.6"),
            (3, Waited, "LIST"),
        ],
    );
    check(
        "410 in the status, from a version",
        Some("5"),
        "WATCH 5",
        &[(0, Status(410), "desynced, WAIT 0"), (0, Waited, "LIST")],
    );
    check(
        "410 between two pages: the next list is whole, the one after it is not",
        None,
        "LIST",
        &[
            (0, Begun, "listing"),
            (0, Item, "item"),
            (9, Status(410), "desynced, WAIT 0"),
            (9, Waited, "LIST WHOLE"),
            (9, Begun, "listing"),
            (9, Item, "item"),
            (9, Ended("8"), "listed 8, WATCH 8"),
            (9, Status(410), "desynced, WAIT 1.6"),
            (11, Waited, "LIST"),
        ],
    );
}

#[test]
fn a_watch_that_breaks_goes_on_where_it_was() {
    opened(
        "cut",
        &[
            (5, Added("8"), "added"),
            (6, Fails(Code::Protocol), "desynced, WAIT 0.8"),
            (7, Waited, "WATCH 8"),
            (7, Fails(Code::Unreachable), "desynced, WAIT 1.6"),
            (9, Waited, "WATCH 8"),
            (9, Open, "bookmark 8"),
            (9, Added("9"), "added"),
        ],
    );
    opened(
        "two good minutes make up for it, if of several watches",
        &[
            (1, Fails(Code::Unreachable), "desynced, WAIT 0.8"),
            (2, Waited, "WATCH 7"),
            (2, Open, "bookmark 7"),
            (100, End, "WATCH 7"),
            (100, Open, ""),
            (122, Fails(Code::Unreachable), "desynced, WAIT 0.8"),
            (123, Waited, "WATCH 7"),
            (123, Open, "bookmark 7"),
            (242, Fails(Code::Unreachable), "desynced, WAIT 1.6"),
        ],
    );
    opened(
        "away for long: the version is kept",
        &[
            (1, Fails(Code::Unreachable), "desynced, WAIT 0.8"),
            (2, Waited, "WATCH 7"),
            (2, Fails(Code::Unreachable), "desynced, WAIT 1.6"),
            (4, Waited, "WATCH 7"),
            (4, Fails(Code::Timeout), "desynced, WAIT 3.2"),
            (8, Waited, "WATCH 7"),
            (8, Status(503), "desynced, WAIT 6.4"),
            (15, Waited, "WATCH 7"),
            (15, Fails(Code::Tls), "desynced, WAIT 12.8"),
            (28, Waited, "WATCH 7"),
            (28, Status(429), "desynced, WAIT 15"),
            (58, Waited, "WATCH 7"),
        ],
    );
    opened(
        "refused again and again: a new list",
        &[
            (9, End, "WATCH 7"),
            (9, Status(500), "desynced, WAIT 0.8"),
            (10, Waited, "WATCH 7"),
            (10, Status(400), "desynced, WAIT 1.6"),
            (12, Waited, "WATCH 7"),
            (12, Status(403), "desynced, WAIT 3.2"),
            (16, Waited, "LIST"),
            (16, Status(404), "desynced, WAIT 6.4"),
            (23, Waited, "LIST"),
        ],
    );
    opened(
        "the same line again and again: a new list",
        &[
            (0, Fails(Code::TooLarge), "desynced, WAIT 0.8"),
            (1, Waited, "WATCH 7"),
            (1, Open, "bookmark 7"),
            (1, Fails(Code::TooLarge), "desynced, WAIT 1.6"),
            (3, Waited, "WATCH 7"),
            (3, Open, "bookmark 7"),
            (3, Fails(Code::TooLarge), "desynced, WAIT 3.2"),
            (7, Waited, "LIST"),
        ],
    );
    opened(
        "cut each minute without an event: no reason for a list",
        &[
            (60, Fails(Code::Protocol), "desynced, WAIT 0.8"),
            (61, Waited, "WATCH 7"),
            (61, Open, "bookmark 7"),
            (121, Fails(Code::Protocol), "desynced, WAIT 1.6"),
            (123, Waited, "WATCH 7"),
            (123, Open, "bookmark 7"),
            (183, Fails(Code::Protocol), "desynced, WAIT 3.2"),
            (187, Waited, "WATCH 7"),
            (187, Open, "bookmark 7"),
            (240, Fails(Code::Protocol), "desynced, WAIT 6.4"),
            (247, Waited, "WATCH 7"),
        ],
    );
}

#[test]
fn a_server_that_ends_watches_at_once_is_not_asked_at_once() {
    opened(
        "within a second, events or not",
        &[
            (0, End, "desynced, WAIT 0.8"),
            (1, Waited, "WATCH 7"),
            (1, Open, "bookmark 7"),
            (1, Added("8"), "added"),
            (1, End, "desynced, WAIT 1.6"),
            (3, Waited, "WATCH 8"),
            (3, Open, "bookmark 8"),
            (4, End, "WATCH 8"),
        ],
    );
}

#[test]
fn a_server_is_left_alone_for_as_long_as_it_asks() {
    opened(
        "429 of a watch",
        &[(1, Busy(17), "desynced, WAIT 17"), (18, Waited, "WATCH 7"), (18, Busy(1), "desynced, WAIT 1.6")],
    );
    check(
        "429 of a list, with a Retry-After of years",
        None,
        "LIST",
        &[(0, Busy(u64::MAX), "desynced, WAIT 300"), (300, Waited, "LIST")],
    );
}

#[test]
fn a_silent_watch_is_asked_about() {
    opened(
        "answered: the watch may be dead all the same",
        &[(90, Silent, "PROBE"), (91, Answered(Some("7")), "WATCH 7"), (91, Open, "")],
    );
    opened("answered without a version", &[(90, Silent, "PROBE"), (91, Answered(None), "WATCH 7")]);
    opened("answered with no number", &[(90, Silent, "PROBE"), (91, Answered(Some("x")), "WATCH 7")]);
    opened(
        "answered by a server that was restored",
        &[(180, Silent, "PROBE"), (181, Answered(Some("6")), "desynced, WAIT 0"), (181, Waited, "LIST")],
    );
    opened(
        "not answered",
        &[(90, Silent, "PROBE"), (105, Unanswered, "desynced, WAIT 0.8"), (106, Waited, "WATCH 7")],
    );
    opened(
        "what comes meanwhile is answer enough, and the probe's is passed over",
        &[
            (90, Silent, "PROBE"),
            (91, Silent, ""),
            (91, Added("8"), "added"),
            (92, Answered(Some("8")), ""),
            (92, Unanswered, ""),
            (182, Silent, "PROBE"),
            (183, In::Bookmark("9"), "bookmark 9"),
            (183, Answered(None), ""),
        ],
    );
    opened(
        "or ends, breaks or forgets meanwhile",
        &[
            (90, Silent, "PROBE"),
            (91, End, "WATCH 7"),
            (91, Answered(None), ""),
            (92, Open, ""),
            (190, Silent, "PROBE"),
            (191, Status(410), "desynced, WAIT 0"),
            (191, Waited, "LIST"),
        ],
    );
}

#[test]
fn what_has_no_version_is_no_place_to_go_on_from() {
    for version in ["", "0"] {
        check(
            "a list",
            None,
            "LIST",
            &[(0, Begun, "listing"), (0, Ended(version), "desynced, WAIT 0.8"), (1, Waited, "LIST")],
        );
        opened(
            "an event, which is told when it comes again with one",
            &[
                (5, Added(version), "desynced, WAIT 0.8"),
                (6, Waited, "WATCH 7"),
                (6, Open, "bookmark 7"),
                (6, Added("8"), "added"),
            ],
        );
        opened("a bookmark", &[(5, In::Bookmark(version), "desynced, WAIT 0.8"), (6, Waited, "WATCH 7")]);
    }
}

#[test]
fn what_this_side_refuses_is_told_once() {
    for code in [Code::InvalidRequest, Code::Unsupported, Code::PermissionDenied] {
        check(
            "a list",
            None,
            "LIST",
            &[(0, Fails(code), "desynced for ever, END"), (9, Waited, ""), (9, Begun, "")],
        );
        opened(
            "a watch",
            &[(5, Fails(code), "desynced for ever, END"), (6, Added("8"), ""), (6, Waited, "")],
        );
    }
}

#[test]
fn what_does_not_belong_to_the_order_is_passed_over() {
    check(
        "while asking for a list",
        None,
        "LIST",
        &[
            (0, Item, ""),
            (0, Ended("7"), ""),
            (0, Open, ""),
            (0, Added("8"), ""),
            (0, Silent, ""),
            (0, Waited, ""),
            (0, Begun, "listing"),
        ],
    );
    opened(
        "while waiting",
        &[
            (5, Fails(Code::Unreachable), "desynced, WAIT 0.8"),
            (5, Fails(Code::Unreachable), ""),
            (5, Added("9"), ""),
            (5, End, ""),
            (6, Waited, "WATCH 7"),
            (6, Waited, ""),
            (6, Added("9"), ""),
        ],
    );
}

#[test]
fn watches_are_ended_by_the_server_between_100_and_200_seconds() {
    for (random, seconds) in [(0, 100), (99, 199), (100, 100), (u64::MAX, 115)] {
        let order = Machine::new(Some("7".into())).begin(Now { at: Duration::ZERO, random });
        let timeout = Duration::from_secs(seconds);
        assert_eq!(order, Order::Watch { version: "7".into(), timeout });
    }
}
