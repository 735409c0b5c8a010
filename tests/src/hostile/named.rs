//! Names for the hostile cases that the tests of an area take. Each area includes this file as a module of its own, because
//! the compiler doesn't look for unused names in the macros of another crate.

/// Makes a constant of each key, for the test that takes its cases, and a test that compares the keys with the file.
macro_rules! hostile_cases {
    ($($name:ident = $key:literal,)+) => {
        $(
            #[deny(dead_code, reason = "no test takes these cases")]
            pub(crate) const $name: spin_tests::hostile::Cases = spin_tests::hostile::Cases::of($key);
        )+

        #[test]
        fn every_case_of_the_area_is_taken() {
            let taken = std::collections::BTreeSet::from([$($key),+]);
            assert_eq!(taken, spin_tests::hostile::keys(env!("CARGO_CRATE_NAME")), "taken by tests, and in the file");
        }
    };
}
