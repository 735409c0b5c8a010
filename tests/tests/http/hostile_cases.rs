//! The hostile cases that the tests of this area take; see `spin_tests::hostile`.

hostile_cases! {
    HOST = "9 host",
    HEADER = "9 header",
    AUTHORITY = "9 authority",
    REQUESTS = "10 requests",
    GUEST_HEADER = "10 guest header",
    GUEST_LENGTH = "10 guest length",
    CLIENT_HEADER = "10 client header",
    RESETS = "11 resets",
    CONTINUATIONS = "11 continuations",
    HEADER_LIST = "11 header list",
    UNREAD = "11 unread",
    SILENT_HANDSHAKES = "12 silent handshakes",
    SLOW_HEAD = "12 slow head",
    SLOW_BODY = "12 slow body",
    NO_READER = "12 no reader",
    GONE = "12 gone",
    DESCRIPTORS = "13 descriptors",
}
