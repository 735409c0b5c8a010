//! The hostile cases that the tests of this area take; see `spin_tests::hostile`.

hostile_cases! {
    LOSS = "22 loss",
    OUTPUT_BUFFER = "22 output-buffer",
    BURST = "22 burst",
    CHANNEL = "22 channel",
    CREDENTIALS = "22 credentials",
    TLS = "22 tls",
}
