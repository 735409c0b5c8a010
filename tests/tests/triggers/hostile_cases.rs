//! The hostile cases that the tests of this area take; see `spin_tests::hostile`.

hostile_cases! {
    CHANNEL = "20 channel",
    SIGNAL = "21 signal",
    CHILD = "21 child",
    TERMINAL = "21 terminal",
}
