//! The hostile cases that the tests of this area take; see `spin_tests::hostile`.

hostile_cases! {
    PRIVATE_HOST = "16 private host",
}
