//! The hostile cases that the tests of this area take; see `spin_tests::hostile`.

hostile_cases! {
    PROCESSOR = "14 processor",
    YIELDING = "14 yielding",
    INSTANTIATION = "15 instantiation",
    GREED = "15 greed",
    FAILURE = "25 failure",
}
