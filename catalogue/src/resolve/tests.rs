//! Tests of choosing: a table for the reasons, properties for the choice.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn release(version: &str, compatibility: &str) -> Release {
    Release {
        version: version.parse().unwrap(),
        protocols: vec![1],
        spin_compatibility: compatibility.into(),
        platforms: vec!["linux-amd64".into(), "macos-aarch64".into()],
        yanked: false,
        published: None,
        path: "manifests/x/x.json".parse().unwrap(),
        sha256: None,
    }
}

static SPIN: Version = Version::new(4, 0, 2);

fn host() -> Host<'static> {
    Host {
        spin: &SPIN,
        platform: "linux-amd64".parse().unwrap(),
        protocols: &[1],
        compatibility: CompatibilityCheck::Enforced,
    }
}

fn any() -> Query<'static> {
    Query { version: None, host: host() }
}

#[test]
fn the_highest_that_fits_is_chosen() {
    let releases =
        [release("0.9.0", "*"), release("0.10.0", ">=2"), release("1.0.0", ">=5"), release("1.1.0-rc.1", "*")];
    assert_eq!(choose(&releases, &any()).unwrap().version, "0.10.0");
    let overridden = Query { host: Host { compatibility: CompatibilityCheck::Overridden, ..host() }, ..any() };
    assert_eq!(choose(&releases, &overridden).unwrap().version, "1.0.0");
}

#[test]
fn a_pre_release_must_be_named() {
    let releases = [release("1.1.0-rc.1", "*")];
    let refusal = choose(&releases, &any()).unwrap_err();
    assert_eq!(refusal.reason, Reason::PreRelease);
    let named = VersionReq::parse("=1.1.0-rc.1").unwrap();
    assert!(choose(&releases, &Query { version: Some(&named), ..any() }).is_ok());
}

#[test]
fn a_catalogue_cannot_add_lines_to_a_message() {
    let odd = Release { platforms: vec!["plan9\n  help: run this".into()], ..release("1.0.0", "*") };
    let said = choose(&[odd], &any()).unwrap_err().reason.to_string();
    assert!(said.ends_with(r"only for plan9\n  help: run this"), "{said}");
}

#[test]
fn each_reason_reads_well_and_the_nearest_release_is_named() {
    let say = |release: Release, query: &Query<'_>| {
        let refusal = choose(std::slice::from_ref(&release), query).unwrap_err();
        assert_eq!(refusal.version.unwrap(), release.version);
        refusal.reason.to_string()
    };
    assert_eq!(say(release("1.0.0", "<4"), &any()), "requires Spin <4, this is 4.0.2");
    assert_eq!(say(release("1.0.0", ">=5"), &any()), "requires Spin >=5, this is 4.0.2");
    assert!(say(release("1.0.0", "v2"), &any()).contains("cannot be read"));
    let protocol = Release { protocols: vec![2, 3], ..release("1.0.0", "*") };
    assert_eq!(say(protocol, &any()), "speaks trigger protocol 2, 3, this spin speaks 0, 1");
    let platform = Release { platforms: vec!["macos-aarch64".into()], ..release("1.0.0", "*") };
    assert_eq!(say(platform, &any()), "has no package for linux-amd64, only for macos-aarch64");
    assert_eq!(say(Release { yanked: true, ..release("1.0.0", "*") }, &any()), "was withdrawn by its publisher");
    let two = VersionReq::parse(">=2").unwrap();
    let query = Query { version: Some(&two), ..any() };
    assert_eq!(say(release("1.0.0", "*"), &query), "is not a version that matches >=2");

    // Incompatible is nearer than "no package", whichever is newer.
    let releases = [release("1.0.0", ">=5"), Release { platforms: Vec::new(), ..release("2.0.0", "*") }];
    assert_eq!(choose(&releases, &any()).unwrap_err().version.unwrap(), "1.0.0");
    assert_eq!(choose(&[], &any()).unwrap_err().version, None);
}

#[test]
fn each_reason_says_what_would_change_it() {
    let remedy = |release: Release| choose(&[release], &any()).unwrap_err().reason.remedy();
    for requirement in [">=5", "^4.1", "~4.0.3", "=5.0", ">4.0.2, <6", ">4"] {
        assert_eq!(remedy(release("1.0.0", requirement)), Some("update spin"), "{requirement}");
    }
    for requirement in ["<4", "^3", ">=2, <4", "=4.0.1", ">=5, <3", "nonsense"] {
        assert_eq!(remedy(release("1.0.0", requirement)), None, "{requirement}");
    }
    let protocols = |protocols: Vec<u32>| remedy(Release { protocols, ..release("1.0.0", "*") });
    assert_eq!(protocols(vec![2]), Some("update spin"));
    let modern = Host { protocols: &[3], ..host() };
    let old = obstacle("*", &[2], &modern).unwrap();
    assert_eq!(old.remedy(), Some("ask its author for a version that speaks a newer one"));
    assert_eq!(remedy(release("1.0.0-rc.1", "*")), Some("name its version to get it"));
}

#[test]
fn protocol_zero_is_always_acceptable() {
    assert_eq!(obstacle("*", &[], &host()), None);
    assert_eq!(obstacle("*", &[0, 7], &host()), None);
    assert_eq!(obstacle("*", &[7, 1], &host()), None);
    assert!(matches!(obstacle("*", &[7], &host()), Some(Reason::Protocol { .. })));
    let overridden = Host { compatibility: CompatibilityCheck::Overridden, ..host() };
    assert!(obstacle("*", &[7], &overridden).is_some(), "the override is for spinCompatibility only");
    assert_eq!(obstacle("<1", &[], &overridden), None);
}

fn some_release() -> impl Strategy<Value = Release> {
    let version = prop_oneof!["[0-3][.][0-3][.][0-3]", "[0-3][.][0-3][.][0-3]-rc[.][1-2]", "[0-3][.][0-3]"];
    let compatibility = proptest::sample::select(vec![">=2.0", ">=4.0.2", "<4", ">=5", "*", "=4.0", "nonsense"]);
    let platforms = proptest::sample::subsequence(vec!["linux-amd64", "macos-aarch64", "plan9-mips"], 0..=3);
    let protocols = proptest::sample::subsequence(vec![0u32, 1, 2], 0..=3);
    (version, compatibility, platforms, protocols, any_bool()).prop_map(
        |(version, compatibility, platforms, protocols, yanked)| Release {
            platforms: platforms.into_iter().map(str::to_owned).collect(),
            protocols,
            yanked,
            ..release(&version, compatibility)
        },
    )
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.2)
}

/// The reasons in other words than the code's: each predicate says from the data alone whether the reason is true.
fn is_true(reason: &Reason, release: &Release, query: &Query<'_>) -> bool {
    match reason {
        Reason::Version { wanted } => {
            let wanted = VersionReq::parse(wanted).unwrap();
            !Version::parse(release.version.as_str()).is_ok_and(|version| wanted.matches(&version))
        }
        Reason::PreRelease => query.version.is_none() && release.version.as_str().contains('-'),
        Reason::Yanked => release.yanked,
        Reason::Platform { wanted, offered } => offered == &release.platforms && !offered.contains(&wanted.to_string()),
        Reason::Protocol { offered, supported } => {
            offered == &release.protocols && !offered.is_empty() && offered.iter().all(|p| !supported.contains(p))
        }
        Reason::Compatibility { requirement, actual } => {
            requirement == &release.spin_compatibility && !VersionReq::parse(requirement).unwrap().matches(actual)
        }
        Reason::Unreadable { requirement, .. } => VersionReq::parse(requirement).is_err(),
    }
}

proptest! {
    /// "Update spin" is said only where some later version of Spin fulfils the requirement, and is never left out there.
    #[test]
    fn updating_spin_is_advised_where_it_helps(
        parts in proptest::collection::vec("(>=|>|<|<=|\\^|~|=)[2-6]([.][0-3])?", 1..3),
    ) {
        let text = parts.join(", ");
        let Some(reason @ Reason::Compatibility { .. }) = obstacle(&text, &[], &host()) else { return Ok(()) };
        let wanted = VersionReq::parse(&text).unwrap();
        let later = |major| (0..5).flat_map(move |minor| (0..5).map(move |patch| Version::new(major, minor, patch)));
        let helps = (4..8).flat_map(later).any(|version| version > SPIN && wanted.matches(&version));
        let advised = reason.remedy().is_some();
        prop_assert!(advised || !helps, "{text} is fulfilled later");
        // A requirement that nothing fulfils is nobody's to explain.
        let ever = (0..8).flat_map(later).any(|version| wanted.matches(&version));
        prop_assert!(!advised || helps || !ever, "{text} is not fulfilled later");
    }

    #[test]
    fn the_answer_fits_nothing_higher_fits_and_a_refusal_is_true(
        releases in proptest::collection::vec(some_release(), 0..8),
        wanted in proptest::option::of(proptest::sample::select(vec!["*", ">=1", "=2.1", "^0.3", "=1.0.0-rc.1", "<1"])),
        overridden in proptest::bool::ANY,
    ) {
        let version = wanted.map(|text| VersionReq::parse(text).unwrap());
        let compatibility = if overridden { CompatibilityCheck::Overridden } else { CompatibilityCheck::Enforced };
        let query = Query { version: version.as_ref(), host: Host { compatibility, ..host() } };
        match choose(&releases, &query) {
            Ok(chosen) => {
                prop_assert!(refuse(chosen, &query).is_none());
                prop_assert!(!chosen.yanked && chosen.supports(query.host.platform));
                if let Some(version) = &version {
                    prop_assert!(version.matches(chosen.version.semver().unwrap()));
                } else {
                    prop_assert!(!chosen.version.is_prerelease());
                }
                if !overridden {
                    prop_assert!(VersionReq::parse(&chosen.spin_compatibility).unwrap().matches(&SPIN));
                }
                for higher in releases.iter().filter(|release| release.version > chosen.version) {
                    let reason = refuse(higher, &query);
                    prop_assert!(reason.is_some_and(|reason| is_true(&reason, higher, &query)));
                }
            }
            Err(refusal) => {
                for release in &releases {
                    prop_assert!(refuse(release, &query).is_some());
                }
                let unasked = choose(&releases, &Query { version: None, ..query }).ok();
                let instead = unasked.filter(|_| version.is_some()).map(|release| release.version.clone());
                prop_assert_eq!(&refusal.instead, &instead, "the version that fits instead");
                // What helps by its own account helps.
                if refusal.reason.can_be_overridden() {
                    let host = Host { compatibility: CompatibilityCheck::Overridden, ..host() };
                    let helps = choose(&releases, &Query { host, ..query }).is_ok();
                    prop_assert!(helps, "the override helps");
                }
                match &refusal.version {
                    None => prop_assert!(releases.is_empty()),
                    Some(version) => {
                        let mut same = releases.iter().filter(|release| release.version == *version);
                        prop_assert!(same.any(|release| is_true(&refusal.reason, release, &query)));
                    }
                }
            }
        }
    }
}
